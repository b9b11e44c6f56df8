using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Streaming.Model.Libtorch;

/// <summary>
/// Lets TorchSharp's native library load where libstdc++ is older than GCC 13's (Debian 12, Ubuntu 22.04). The library
/// names the version <c>GLIBCXX_3.4.32</c> among those it needs, but relocates no symbol against it. A copy in which that
/// entry is marked weak loads and works; the original is left as it is.
/// </summary>
internal static class GlibcxxRemedy
{
    /// <summary>The version that no symbol needs.</summary>
    public const string Version = "GLIBCXX_3.4.32";

    private const uint VersionNeedSection = 0x6FFFFFFE; // SHT_GNU_verneed
    private const ushort WeakFlag = 0x2; // VER_FLG_WEAK

    /// <summary>True where the loader's message says that the version is what is missing.</summary>
    public static bool Helps(string loaderError) =>
        loaderError.Contains($"version `{Version}' not found", StringComparison.Ordinal);

    /// <summary>The path of a loadable copy of <paramref name="original"/> in the cache folder, written if it is not there.</summary>
    /// <param name="original">The library as it was installed.</param>
    /// <param name="cacheFolder">The folder for copies; one folder a version of the original is made in it.</param>
    public static string LoadableCopy(string original, string cacheFolder)
    {
        var image = File.ReadAllBytes(original);
        var folder = Path.Combine(cacheFolder, "native-" + Convert.ToHexStringLower(SHA256.HashData(image).AsSpan(0, 8)));
        if (!Weaken(image, Version))
            throw new LibtorchException($"{original} does not name {Version} among the versions it needs: it is damaged, restore the packages again");
        var copy = Path.Combine(folder, Path.GetFileName(original));
        if (File.Exists(copy) && File.ReadAllBytes(copy).AsSpan().SequenceEqual(image))
            return copy;
        Directory.CreateDirectory(folder);
        // Two processes may start at once: each writes its own file, and the rename replaces like by like.
        var aside = $"{copy}.{Environment.ProcessId}-{Guid.NewGuid():N}";
        try
        {
            File.WriteAllBytes(aside, image);
            File.Move(aside, copy, overwrite: true);
        }
        finally
        {
            File.Delete(aside);
        }
        return copy;
    }

    /// <summary><c>$XDG_CACHE_HOME/streaming</c>, else <c>~/.cache/streaming</c>, else a folder among the temporary files.</summary>
    public static string CacheFolder()
    {
        var root = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        if (string.IsNullOrEmpty(root) || !Path.IsPathRooted(root))
        {
            var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            root = home.Length > 0 ? Path.Combine(home, ".cache") : null;
        }
        var version = typeof(GlibcxxRemedy).Assembly.GetName().Version?.ToString(3) ?? "0";
        return root is null
            ? Directory.CreateTempSubdirectory("streaming-").FullName
            : Path.Combine(root, "streaming", version);
    }

    /// <summary>Marks a needed version as weak in the image of a 64-bit little-endian ELF library.</summary>
    /// <returns>False where the image is no such library or does not name the version.</returns>
    /// <remarks>Layouts: System V ABI, chapter 4 (section header); LSB 5, 10.7 (symbol versioning).</remarks>
    public static bool Weaken(Span<byte> image, string version)
    {
        var wanted = System.Text.Encoding.ASCII.GetBytes(version + "\0");
        try
        {
            if (!image.StartsWith((ReadOnlySpan<byte>)[0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1]))
                return false;
            var weakened = false;
            int sections = checked((int)Long(image, 0x28)), size = Short(image, 0x3A), count = Short(image, 0x3C);
            for (var i = 0; i < count; i++)
            {
                var section = sections + i * size;
                if (Int(image, section + 4) != VersionNeedSection)
                    continue;
                var names = checked((int)Long(image, sections + (int)Int(image, section + 40) * size + 24));
                weakened |= WeakenNeeds(image, checked((int)Long(image, section + 24)), names, wanted);
            }
            return weakened;
        }
        catch (Exception exception) when (exception is ArgumentOutOfRangeException or OverflowException)
        {
            return false; // an offset points outside the file
        }
    }

    private static bool WeakenNeeds(Span<byte> image, int need, int names, ReadOnlySpan<byte> wanted)
    {
        for (var weakened = false; ; need += (int)Int(image, need + 12))
        {
            var entries = Short(image, need + 2);
            var entry = need + (int)Int(image, need + 8);
            for (var i = 0; i < entries; i++, entry += (int)Int(image, entry + 12))
            {
                if (!image[(names + (int)Int(image, entry + 8))..].StartsWith(wanted))
                    continue;
                BinaryPrimitives.WriteUInt16LittleEndian(image[(entry + 4)..], (ushort)(Short(image, entry + 4) | WeakFlag));
                weakened = true;
            }
            if (Int(image, need + 12) == 0)
                return weakened;
        }
    }

    private static ushort Short(ReadOnlySpan<byte> image, int at) => BinaryPrimitives.ReadUInt16LittleEndian(image[at..]);
    private static uint Int(ReadOnlySpan<byte> image, int at) => BinaryPrimitives.ReadUInt32LittleEndian(image[at..]);
    private static ulong Long(ReadOnlySpan<byte> image, int at) => BinaryPrimitives.ReadUInt64LittleEndian(image[at..]);
}

using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Streaming.Streams.Sources.Http;

/// <summary>
/// The files that keep one remote file in the cache folder: the bytes from its start on, and beside them which version
/// they are of and how many are safe on the disk. Named by the file and a hash of the URL without its credentials.
/// </summary>
internal sealed class HttpCacheEntry
{
    private const int LongestName = 80;

    private readonly string _description;

    public HttpCacheEntry(string folder, HttpAddress address)
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(address.Request.AbsoluteUri)))[..16];
        var name = string.Concat(address.FileName.Where(character => char.IsAsciiLetterOrDigit(character) || character is '.' or '-' or '_'));
        name = name.TrimStart('.');
        name = hash + "-" + (name.Length > LongestName ? name[^LongestName..] : name);
        Bytes = Path.Combine(folder, name);
        _description = Bytes + ".json";
    }

    /// <summary>Where the bytes are kept.</summary>
    public string Bytes { get; }

    /// <summary>What is kept; null where nothing usable is.</summary>
    public Description? Read()
    {
        try
        {
            var found = JsonSerializer.Deserialize<Description>(File.ReadAllBytes(_description));
            var length = new FileInfo(Bytes).Length;
            return found is null || found.Version is null || found.Stored < 0 || found.Stored > length || (found.IsComplete && (length != found.Stored || found.Version.Length != length))
                ? null
                : found;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Says what is kept, in one step: a reader finds the old words or the new.</summary>
    public void Write(Description description)
    {
        var aside = _description + ".new";
        File.WriteAllBytes(aside, JsonSerializer.SerializeToUtf8Bytes(description));
        File.Move(aside, _description, overwrite: true);
    }

    /// <summary>Takes the files away; who reads them still has them.</summary>
    public void Forget()
    {
        File.Delete(_description);
        File.Delete(Bytes);
    }

    /// <param name="Version">Of the remote file.</param>
    /// <param name="Stored">Bytes from its start on that are safe on the disk.</param>
    /// <param name="IsComplete">Whether they are all.</param>
    public sealed record Description(RemoteVersion Version, long Stored, bool IsComplete);
}

using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Streaming.Model.Fused.Cuda;

/// <summary>
/// Which of cuBLASLt's algorithms was fastest for each product, kept on disk: timing them takes longer than the rest of the engine's
/// start. A file holds what was measured on one kind of GPU with one version of the library, which is as long as an algorithm's
/// description is valid.
/// </summary>
internal sealed class ProductCache
{
    private const int Words = 8;

    private readonly Dictionary<string, ulong[]> _algorithms = new(StringComparer.Ordinal);
    private readonly string _path;
    private bool _changed;

    /// <param name="folder">Made when something is saved.</param>
    /// <param name="identity">GPU, library version and whatever else the choice depends on.</param>
    public ProductCache(string folder, string identity)
    {
        _path = Path.Combine(folder, "products-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(identity)))[..16] + ".txt");
        Load();
    }

    /// <summary>cublasLtMatmulAlgo_t of that product; null where it was not measured.</summary>
    public ulong[]? Find(string product) => _algorithms.GetValueOrDefault(product);

    public void Add(string product, ulong[] algorithm)
    {
        _algorithms[product] = algorithm;
        _changed = true;
    }

    /// <summary>Writes what is new; a folder that cannot be written costs the time of the next start, not this run.</summary>
    public void Save()
    {
        if (!_changed) return;
        _changed = false;
        Load(); // what another one has added meanwhile
        var aside = $"{_path}.{Environment.ProcessId}";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
            File.WriteAllLines(aside, _algorithms.OrderBy(entry => entry.Key, StringComparer.Ordinal)
                .Select(entry => $"{entry.Key}\t{string.Join(' ', entry.Value.Select(word => word.ToString("x16", CultureInfo.InvariantCulture)))}"));
            File.Move(aside, _path, overwrite: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            if (File.Exists(aside)) File.Delete(aside);
        }
    }

    private void Load()
    {
        try
        {
            foreach (var line in File.ReadLines(_path))
                Read(line);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Nothing is known yet: it is measured.
        }
    }

    // A line that is not whole is as good as none; what is known already stays.
    private void Read(string line)
    {
        var parts = line.Split('\t');
        if (parts.Length != 2) return;
        var words = parts[1].Split(' ');
        var algorithm = new ulong[Words];
        if (words.Length != Words) return;
        for (var i = 0; i < Words; i++)
            if (!ulong.TryParse(words[i], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out algorithm[i])) return;
        _algorithms.TryAdd(parts[0], algorithm);
    }
}

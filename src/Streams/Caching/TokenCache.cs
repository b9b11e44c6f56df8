using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Streaming.Streams.Batches;
using Streaming.Streams.Packing;
using Streaming.Streams.Sources;

namespace Streaming.Streams.Caching;

/// <summary>
/// The blocks of the first epoch of one source in a file: records of one length, each with the tokens (two bytes each where
/// the vocabulary allows), a bit for each that a document begins with, the place of the source after the block and a
/// checksum. Written once, from front to back; whole once the epoch is, which a file beside it says by their number. Read by position
/// and not mapped: a mapped file that is cut short ends the process.
/// </summary>
internal sealed class TokenCache : IDisposable
{
    /// <summary>Changes whenever records do.</summary>
    private const int FormatVersion = 1;

    private readonly string _path;
    private readonly CacheRecord _record;
    private readonly byte[] _buffer;
    private SafeFileHandle? _file;

    private TokenCache(string path, int blockSize, int vocabularySize)
    {
        _path = path;
        _record = new CacheRecord(blockSize, isWide: vocabularySize > ushort.MaxValue + 1);
        _buffer = new byte[_record.Length];
    }

    /// <summary>Blocks that lie in it.</summary>
    public long Count { get; private set; }

    /// <summary>Whether they are those of the whole epoch.</summary>
    public bool IsWhole { get; private set; }

    private string WholeMark => _path + ".whole";

    /// <summary>
    /// Finds what a folder holds of a source's blocks. A file of other sources or options bears another name; blocks from the
    /// first damaged one on do not count. Nothing is written yet.
    /// </summary>
    /// <exception cref="SourceException">The folder cannot be read.</exception>
    public static TokenCache Find(string folder, TextIdentity text, SourceCursor source, int blockSize, int vocabularySize)
    {
        var identity = JsonSerializer.Serialize(new { FormatVersion, text, blockSize, source.Name, source.Files, source.Reading, source.Cleaning });
        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(identity)))[..24];
        var cache = new TokenCache(Path.Combine(folder, name + ".blocks"), blockSize, vocabularySize);
        Guard(cache._path, cache.Verify);
        return cache;
    }

    /// <summary>
    /// Opens it for writing from a block on, over what follows. Nothing is cut off before the epoch is whole: several streams may
    /// write at once, each the same bytes at the same places, and none takes from another what it has written.
    /// </summary>
    /// <exception cref="SourceException">It cannot be written.</exception>
    public void BeginAt(long block) => Guard(_path, () =>
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
        _file = File.OpenHandle(_path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        File.Delete(WholeMark);
        (Count, IsWhole) = (block, false);
    });

    /// <summary>Adds the blocks of an element.</summary>
    public void Append(TokenBlocks blocks) => Guard(_path, () =>
    {
        for (var block = 0; block < blocks.Count; block++)
        {
            _record.Write(_buffer, blocks, block);
            RandomAccess.Write(_file!, _buffer, Count++ * _record.Length);
        }
    });

    /// <summary>The epoch is at its end: the blocks are on the disk and stay.</summary>
    public void Complete() => Guard(_path, () =>
    {
        RandomAccess.SetLength(_file!, Count * _record.Length);
        RandomAccess.FlushToDisk(_file!);
        File.WriteAllText(WholeMark, Count.ToString(CultureInfo.InvariantCulture));
        IsWhole = true;
    });

    /// <summary>Adds a block to an element that has room for it.</summary>
    public void ReadInto(TokenBlocks blocks, long block, long epoch) => Guard(_path, () =>
    {
        _file ??= File.OpenHandle(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        ReadRecord(block);
        _record.Read(_buffer, blocks, epoch);
    });

    public void Dispose() => _file?.Dispose();

    private void ReadRecord(long block)
    {
        if (RandomAccess.Read(_file!, _buffer, block * _record.Length) != _buffer.Length || !CacheRecord.IsWhole(_buffer))
            throw new InvalidDataException($"block {block} is damaged");
    }

    /// <summary>Counts the whole blocks, reading all.</summary>
    private void Verify()
    {
        if (!File.Exists(_path))
            return;
        using var file = File.OpenHandle(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.SequentialScan);
        var recordsAtOnce = Math.Max(1, (1 << 20) / _record.Length);
        var buffer = new byte[recordsAtOnce * _record.Length];
        for (var isWhole = true; isWhole;)
        {
            var read = RandomAccess.Read(file, buffer, Count * _record.Length);
            isWhole = read == buffer.Length;
            for (var start = 0; start + _record.Length <= read; start += _record.Length)
            {
                if (!CacheRecord.IsWhole(buffer.AsSpan(start, _record.Length)))
                {
                    isWhole = false;
                    break;
                }
                Count++;
            }
        }
        IsWhole = File.Exists(WholeMark) && File.ReadAllText(WholeMark) == Count.ToString(CultureInfo.InvariantCulture);
    }

    private static void Guard(string path, Action work)
    {
        try
        {
            work();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new SourceException($"the token cache {path} cannot be used ({exception.Message.TrimEnd('.')}); start again, which makes it anew where it is damaged, or leave token-cache out.", exception);
        }
    }
}

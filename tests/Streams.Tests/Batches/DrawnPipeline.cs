using System.Security;
using System.Text.Json;
using CsCheck;
using ParquetSharp;
using Streaming.Streams.Cleaning;
using Streaming.Streams.Compression;
using Streaming.Streams.Sources.Http;
using Streaming.Streams.Tests.Sources.Http;
using Encoding = System.Text.Encoding;

namespace Streaming.Streams.Tests.Batches;

/// <summary>A text path drawn at random, its files in a folder of its own.</summary>
internal sealed record DrawnPipeline(
    DrawnSource[] Sources, int BlockSize, int Rows, bool Normalize, double Fraction, ValidationRule Rule, Split Split, ShuffleOptions? Shuffle, bool Mask,
    bool Caches, CacheAfter CacheAfter, int Cut, (int Before, int After) Workers, (int Before, int After) TextBatchBytes)
{
    private static readonly Gen<byte[]> Line = Gen.OneOf(
        Gen.OneOf("", "", "猫と犬。", "ab abc", "「猫」と。犬!", "ａｂ~~", "\0", "   ").Select(Encoding.UTF8.GetBytes),
        Gen.Byte.Array[0, 12]);

    private static readonly Gen<byte[]> Content =
        Gen.Select(Line.Array[0, 40], Gen.OneOf("\n", "\r\n"), (lines, end) => lines.SelectMany(line => line.Concat(Encoding.UTF8.GetBytes(end))).ToArray())
            .Where(IsPlain);

    private static readonly Gen<DrawnSource> Source =
        from files in Gen.Select(Content, Gen.OneOf(Gen.Enum<CompressionFormat>(), Gen.OneOf(CompressionFormat.Plain, CompressionFormat.Xz))).Array[1, 3]
        from kind in Gen.OneOf(SourceKind.Lines, SourceKind.Auto, SourceKind.JsonLines, SourceKind.Wikipedia, SourceKind.Parquet)
        from mixing in Gen.Select(Gen.OneOf(0.3, 1, 2, 5), Gen.Int[1, 3])
        from duplicates in Gen.Enum<Duplicates>()
        from breaks in Gen.Int[-15, 3]
        select new DrawnSource(files, kind, mixing.Item1, mixing.Item2, duplicates, breaks < 0 ? null : breaks);

    private static readonly Gen<ShuffleOptions?> Shuffling = Gen.OneOf(
        Gen.Const((ShuffleOptions?)null),
        Gen.Select(Gen.Int[1, 20], Gen.Int[1, 400], Gen.Int[0, 9]).Select((documents, bytes, seed) => (ShuffleOptions?)new ShuffleOptions { Documents = documents, Bytes = bytes, Seed = seed }));

    public static Gen<DrawnPipeline> Any { get; } =
        from sources in Source.Array[1, 3]
        from shape in Gen.Select(Gen.Int[1, 30], Gen.Int[1, 3])
        from text in Gen.Select(Gen.Bool, Gen.OneOf(0, 0.1, 0.5), Gen.Enum<ValidationRule>(), Gen.Enum<Split>())
        from shuffle in Shuffling
        from cache in Gen.Select(Gen.Int[0, 2], Gen.Enum<CacheAfter>())
        from rest in Gen.Select(Gen.Bool, Gen.Int[0, 1000], Gen.Select(Gen.Int[1, 4], Gen.Int[1, 4]), Gen.Select(Gen.Int[1, 200], Gen.Int[1, 200]))
        select new DrawnPipeline(
            sources, shape.Item1, shape.Item2, text.Item1, text.Item2, text.Item3, text.Item4, shuffle, rest.Item1,
            cache.Item1 == 0, cache.Item2, rest.Item2, rest.Item3, rest.Item4);

    /// <summary>Bytes may look like an archive, of a kind that is read or one that is refused.</summary>
    private static bool IsPlain(byte[] content)
    {
        try
        {
            return CompressionFormats.Detect(new InputBuffer(new MemoryStream(content))) == CompressionFormat.Plain;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    /// <summary>The options before the cut; the tail rule only where the length of every file's text can be told.</summary>
    public PipelineOptions Write(TextFiles files) => new()
    {
        Sources = [.. Sources.Select((source, index) => source.Write(files, index))],
        Tokenizer = "",
        BlockSize = BlockSize,
        Rows = Rows,
        Normalize = Normalize,
        ValidationFraction = Fraction,
        ValidationRule = Sources.All(source => source.HasKnownLength) ? Rule : ValidationRule.Hash,
        Shuffle = Shuffle,
        DocumentMask = Mask,
        TokenCache = Caches ? Path.Combine(files.Folder, "cache") : null,
        Workers = Workers.Before,
        Http = new HttpOptions { FirstDelay = TimeSpan.FromMilliseconds(1) },
        TextBatchBytes = TextBatchBytes.Before,
    };

    /// <summary>Those after it: the same tokens by other means.</summary>
    public PipelineOptions Resumed(PipelineOptions options) => options with { Workers = Workers.After, TextBatchBytes = TextBatchBytes.After };
}

/// <summary>What a resumed run finds of the token cache.</summary>
internal enum CacheAfter
{
    /// <summary>What the run that was cut off wrote.</summary>
    AsItWasLeft,

    /// <summary>All blocks of the first epoch.</summary>
    Whole,

    /// <summary>Nothing.</summary>
    Lost,

    /// <summary>All blocks, one byte of them changed.</summary>
    Damaged,
}

/// <summary>What a source drops for having been there before.</summary>
internal enum Duplicates { Kept, DocumentsAndLines, NearDocuments }

/// <param name="Files">Lines, and how the file is compressed (Parquet by itself).</param>
/// <param name="Kind">What is made of the lines.</param>
/// <param name="Weight">Its share.</param>
/// <param name="Epochs">Passes over it.</param>
/// <param name="Duplicates">What is dropped.</param>
/// <param name="HttpBreaks">Read over HTTP; where it is not 0 the connection breaks every so many requests. Null reads files.</param>
internal sealed record DrawnSource((byte[] Content, CompressionFormat Format)[] Files, SourceKind Kind, double Weight, int Epochs, Duplicates Duplicates, int? HttpBreaks)
{
    public bool HasKnownLength => Kind == SourceKind.Parquet || Files.All(file => file.Format is CompressionFormat.Plain or CompressionFormat.Xz);

    public SourceOptions Write(TextFiles files, int index) => new()
    {
        Name = $"source {index}",
        Paths = [.. Files.Select((file, number) => Serve(files, Write(files, $"{index}-{number}", file.Content, file.Format)))],
        Kind = Kind,
        Weight = Weight,
        Epochs = Epochs,
        Cleaning = Duplicates == Duplicates.Kept ? null : CleaningOptions.Off with
        {
            Duplicates = new()
            {
                Documents = true,
                Lines = Duplicates == Duplicates.DocumentsAndLines,
                LineCharacters = 3,
                NearDocuments = Duplicates == Duplicates.NearDocuments,
                MemoryBytes = DuplicateOptions.LeastMemoryBytes,
            },
        },
    };

    private string Write(TextFiles files, string name, byte[] content, CompressionFormat format)
    {
        var texts = Encoding.UTF8.GetString(content).Split('\n');
        return Kind switch
        {
            SourceKind.JsonLines => files.Write(name, Joined(texts.Select(text => text.Length == 0 ? "no object\n" : $"{{\"text\": {JsonSerializer.Serialize(text + "\n" + text)}}}\n")), format),
            SourceKind.Wikipedia => files.Write(name, Joined([.. texts.Select(Page).Prepend("<mediawiki>"), "</mediawiki>"]), format),
            SourceKind.Parquet => WriteRows(Path.Combine(files.Folder, name), texts),
            _ => files.Write(name, content, format),
        };

        static byte[] Joined(IEnumerable<string> parts) => Encoding.UTF8.GetBytes(string.Concat(parts));
    }

    /// <summary>An article of one long line, or none where the text is short.</summary>
    private static string Page(string text, int number)
    {
        var valid = SecurityElement.Escape(string.Concat(text.Where(character => !char.IsControl(character))));
        return $"<page><title>{number}</title><ns>{number % 5 / 4}</ns><id>{number}</id><revision><text>{string.Concat(Enumerable.Repeat(valid, 4))}</text></revision></page>\n";
    }

    private static string WriteRows(string path, string[] texts)
    {
        using var writer = new ParquetFileWriter(path, [new Column<string?>("text")]);
        foreach (var rows in texts.Chunk(7))
        {
            using var group = writer.AppendRowGroup();
            using var column = group.NextColumn().LogicalWriter<string?>();
            column.WriteBatch([.. rows.Select(row => row.Length == 0 ? null : row.Replace("\0", "", StringComparison.Ordinal))]);
        }
        writer.Close();
        return path;
    }

    private string Serve(TextFiles files, string path)
    {
        if (HttpBreaks is not { } breaks)
            return path;
        var content = File.ReadAllBytes(path);
        return files.Own(new HostileServer(content, (number, _) =>
            new Answer { DropAfter = breaks > 0 && number % (breaks + 1) == breaks ? content.Length / 2 : int.MaxValue })).Address;
    }
}

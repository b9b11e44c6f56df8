using System.Text;
using CsCheck;
using Streaming.Streams.Cleaning;
using Streaming.Streams.Compression;

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
        Gen.Select(Line.Array[0, 40], Gen.OneOf("\n", "\r\n"), (lines, end) => lines.SelectMany(line => line.Concat(Encoding.UTF8.GetBytes(end))).ToArray());

    private static readonly Gen<DrawnSource> Source =
        Gen.Select(Gen.Select(Content, Gen.OneOf(Gen.Enum<CompressionFormat>(), Gen.OneOf(CompressionFormat.Plain, CompressionFormat.Xz))).Array[1, 3], Gen.OneOf(0.3, 1, 2, 5), Gen.Int[1, 3], Gen.Bool)
            .Select((files, weight, epochs, drops) => new DrawnSource(files, weight, epochs, drops));

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

/// <param name="Files">Uncompressed bytes, and how they are stored.</param>
/// <param name="Weight">Its share.</param>
/// <param name="Epochs">Passes over it.</param>
/// <param name="DropsDuplicates">Documents and lines that were there before are dropped.</param>
internal sealed record DrawnSource((byte[] Content, CompressionFormat Format)[] Files, double Weight, int Epochs, bool DropsDuplicates)
{
    public bool HasKnownLength => Files.All(file => file.Format is CompressionFormat.Plain or CompressionFormat.Xz);

    public SourceOptions Write(TextFiles files, int index) => new()
    {
        Name = $"source {index}",
        Paths = [.. Files.Select((file, number) => files.Write($"{index}-{number}", file.Content, file.Format))],
        Weight = Weight,
        Epochs = Epochs,
        Cleaning = DropsDuplicates ? CleaningOptions.Off with { Duplicates = new() { Documents = true, Lines = true, LineCharacters = 3, MemoryBytes = DuplicateOptions.LeastMemoryBytes } } : null,
    };
}

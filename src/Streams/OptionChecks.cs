using Streaming.Streams.Sources;

namespace Streaming.Streams;

/// <summary>Refuses options that no text path can be made of.</summary>
internal static class OptionChecks
{
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    /// <exception cref="SourceException">The sources do not fit together.</exception>
    public static void Require(PipelineOptions options, Split split)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.BlockSize);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.Rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.Workers);
        if (options.ValidationFraction is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(options), options.ValidationFraction, "the validation fraction is from 0 up to (not including) 1");
        if (options.Shuffle is { } shuffle)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(shuffle.Documents);
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(shuffle.Bytes);
        }
        if (options.Sources.Count == 0)
            throw new SourceException("there are no sources; name files, a glob such as data/*.xz, or - for standard input.");
        foreach (var source in options.Sources)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(source.Epochs);
            source.Cleaning?.Validate();
            if (source.Weight is not (> 0 and < double.PositiveInfinity))
                throw new ArgumentOutOfRangeException(nameof(options), source.Weight, $"the weight of source {source.Name} is more than 0");
        }
        if (options.Instructions is not null)
            RequireInstructions(options);
        if (options.Sources.GroupBy(source => source.Name).FirstOrDefault(named => named.Count() > 1) is { } twice)
            throw new SourceException($"{twice.Count()} sources are named {twice.Key}; give each a name of its own.");

        var piped = options.Sources.Where(source => source.Paths.Contains(SourceFile.StandardInput)).ToList();
        if (piped.Count > 1)
            throw new SourceException("standard input is named twice among the sources; name it once.");
        if (piped.Count == 1 && split == Split.Validation)
            throw new SourceException("standard input cannot be read a second time for validation; name a file, or set validation-fraction to 0 and evaluate nothing.");
        if (piped.Count == 1 && piped[0].Epochs != 1)
            throw new SourceException($"standard input can be read once, not {(piped[0].Epochs == 0 ? "for ever" : $"{piped[0].Epochs} times")}; set epochs to 1 or name a file.");
    }
    private static void RequireInstructions(PipelineOptions options)
    {
        if (options.Instructions!.Template.FindMistake() is { } mistake)
            throw new SourceException($"the template of the instructions cannot be used: {mistake}.");
        if (options.TokenCache is not null)
            throw new SourceException("records of instructions are not kept in a token cache, which knows running text alone; set data.token-cache to none.");
        if (options.Sources.FirstOrDefault(source => source.Cleaning is not null) is { } cleaned)
            throw new SourceException($"records of instructions are taken as they are, and source {cleaned.Name} is to be cleaned; set its cleaning to recipe and its duplicates to off.");
    }
}

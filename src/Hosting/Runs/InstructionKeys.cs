using Streaming.Hosting.Configuration;
using Streaming.Streams.Cleaning;
using Streaming.Streams.Instructions;

namespace Streaming.Hosting.Runs;

/// <summary>The keys of <c>data.format = instructions</c>.</summary>
internal static class InstructionKeys
{
    /// <exception cref="UserErrorException">A form lacks a field, or a key asks for what is for running text.</exception>
    public static InstructionOptions Build(Settings settings)
    {
        var template = new InstructionTemplate(settings.Get(Keys.PromptWithInput), settings.Get(Keys.PromptWithoutInput));
        if (template.FindMistake() is { } mistake)
        {
            var key = template.WithInputMistake is null ? Keys.PromptWithoutInput : Keys.PromptWithInput;
            throw new UserErrorException(settings.Refuse(key, $"cannot be used: {mistake}"));
        }
        if (settings.Get(Keys.TokenCache) != "none")
            throw new UserErrorException(settings.Refuse(Keys.TokenCache, "must be none where data.format is instructions: records are read anew each epoch, which takes no time beside training"));
        return new InstructionOptions
        {
            Template = template,
            LossOnAnswerOnly = settings.Get(Keys.LossOnAnswer),
            LongRecords = settings.Get(Keys.LongRecords),
            InstructionField = settings.Get(Keys.InstructionField),
            InputField = settings.Get(Keys.InputField),
            OutputField = settings.Get(Keys.OutputField),
        };
    }

    /// <summary>Records are taken as they are.</summary>
    /// <returns>Null.</returns>
    /// <exception cref="UserErrorException">The source is to be cleaned.</exception>
    public static CleaningOptions? RefuseCleaning(SourceEntry entry, CleaningOptions? cleaning, Settings settings)
    {
        if (cleaning is null || (cleaning.HasNoRules && !cleaning.Duplicates.IsOn))
            return null;
        var key = cleaning.HasNoRules ? Keys.Duplicates.Path : Keys.Cleaning.Path;
        throw new UserErrorException($"{key} cannot be used on source {entry.Name} where data.format is instructions: records are taken as they are; leave it out ({settings.OriginOf(Keys.HoldsInstructions)}).");
    }
}

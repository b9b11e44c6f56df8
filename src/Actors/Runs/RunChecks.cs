using Streaming.Streams;
using Streaming.Streams.Sources;
using Streaming.Streams.Tokenization;

namespace Streaming.Actors;

/// <summary>What must fit together before anything of a run is touched; each refusal is one sentence.</summary>
internal static class RunChecks
{
    /// <exception cref="RunRefusedException">The text, the tokenizer and the model do not fit, or one is missing.</exception>
    public static void Require(RunOptions options)
    {
        var tokenizer = LoadTokenizer(options.Data.Tokenizer);
        if (tokenizer.VocabularySize > options.Model.VocabularySize)
        {
            throw new RunRefusedException(
                $"tokenizer {options.Data.Tokenizer} has {tokenizer.VocabularySize} pieces and the model's vocab_size is {options.Model.VocabularySize}: use the model's own tokenizer, or a model whose vocab_size is at least {tokenizer.VocabularySize}");
        }
        try
        {
            TextPipeline.Batches(options.Data with { TokenCache = null }, Split.Train, cursor: null, tokenizer);
        }
        catch (SourceException failure)
        {
            throw new RunRefusedException(failure.Message, failure);
        }
    }

    private static UnigramTokenizer LoadTokenizer(string path)
    {
        try
        {
            return UnigramTokenizer.Load(path);
        }
        catch (InvalidDataException failure)
        {
            throw new RunRefusedException(failure.Message, failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new RunRefusedException($"tokenizer {path} cannot be read ({failure.Message}): name a SentencePiece .model file", failure);
        }
    }
}

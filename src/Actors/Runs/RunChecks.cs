using System.Globalization;
using Streaming.Model.Adapters;
using Streaming.Model.Checkpoints;
using Streaming.Model.Parameters;
using Streaming.Streams;
using Streaming.Streams.Sources;
using Streaming.Streams.Tokenization;

namespace Streaming.Actors;

/// <summary>What must fit together before anything of a run is touched; each refusal is one sentence.</summary>
internal static class RunChecks
{
    /// <exception cref="RunRefusedException">The settings, the text, the tokenizer and the model do not fit, one is missing, or there is no room for a checkpoint.</exception>
    public static void Require(RunOptions options)
    {
        EngineFactory.Require(options);
        RequireResumePoint(options.Training.Resume);
        RequireRoom(options, FreeBytes);
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

    private static void RequireResumePoint(string resume)
    {
        if (resume is not ("auto" or "never") && !Directory.Exists(DurableFiles.Resolve(resume)))
            throw new RunRefusedException($"there is no checkpoint at {resume}: set training.resume to a checkpoint's folder, auto or never");
    }

    /// <param name="options">The run.</param>
    /// <param name="freeBytes">Free on the disk of a folder that exists; null where that is unknown.</param>
    /// <exception cref="RunRefusedException">There is no room for a checkpoint beside those that are there already.</exception>
    internal static void RequireRoom(RunOptions options, Func<string, long?> freeBytes)
    {
        var stored = options.Training.Lora is { } lora ? AdaptedMatrix.ParametersOf(options.Model, lora) : ModelParameter.Of(options.Model);
        var needed = CheckpointStore.BytesOf(stored.Sum(parameter => parameter.Count));
        var folder = Path.GetFullPath(options.RunDirectory);
        while (!Directory.Exists(folder) && Path.GetDirectoryName(folder) is { } above) folder = above;
        if (freeBytes(folder) is { } free && free < needed)
            throw new RunRefusedException(string.Create(CultureInfo.InvariantCulture,
                $"a checkpoint of this run takes {needed >> 20:N0} MiB and {free >> 20:N0} MiB are free in {folder}: make room there, or set run.directory to a folder on another disk"));
    }

    private static long? FreeBytes(string folder)
    {
        try
        {
            return new DriveInfo(folder).AvailableFreeSpace;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null; // the checkpoint will tell
        }
    }

    private static TextTokenizer LoadTokenizer(string path)
    {
        try
        {
            return TextTokenizer.Load(path);
        }
        catch (InvalidDataException failure)
        {
            throw new RunRefusedException(failure.Message, failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new RunRefusedException($"tokenizer {path} cannot be read ({failure.Message.TrimEnd('.')}): name a SentencePiece .model file or a tokenizer.json", failure);
        }
    }
}

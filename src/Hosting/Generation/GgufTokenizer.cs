using Streaming.Hosting.Configuration;
using Streaming.Model.Export;
using Streaming.Streams.Instructions;
using Streaming.Streams.Tokenization;

namespace Streaming.Hosting.Generation;

/// <summary>
/// A SentencePiece model as llama.cpp reads it: its tokenizer <c>t5</c> is the unigram algorithm, <c>llama</c> that of byte pairs.
/// What its loader does is known from running it (<c>LlamaCppSpec</c>).
/// </summary>
internal static class GgufTokenizer
{
    private const int Normal = 1, UserDefined = 4, Unused = 5;

    private static readonly string[] _endKeys = ["eos", "eot", "eom"];

    /// <param name="file">Receives the metadata.</param>
    /// <param name="source">The model.</param>
    /// <param name="notice">Told, in a sentence, what llama.cpp does otherwise.</param>
    /// <exception cref="UserErrorException">llama.cpp has no such tokenizer.</exception>
    public static void Add(GgufFile file, ModelFolder source, Action<string> notice)
    {
        var (tokenizerPath, tokenizer, model) = (source.TokenizerPath, source.Tokenizer, source.Config);
        if (tokenizer is JsonTokenizer)
            throw new UserErrorException($"--format gguf needs a SentencePiece model, and {tokenizerPath} is a tokenizer.json; give the model's tokenizer.model with --tokenizer.");
        var table = VocabularyTable.Read(tokenizerPath);
        Refuse(table, tokenizerPath);
        foreach (var difference in Differences(table, tokenizer.HasByteFallback))
            notice(difference);
        if (source.EndTokens.Count > _endKeys.Length)
            notice($"llama.cpp ends a text at {_endKeys.Length} tokens at most, of this model's {source.EndTokens.Count}.");
        // A model may have more ids than its tokenizer; llama.cpp wants a piece for each.
        var more = Math.Max(0, model.VocabularySize - table.Pieces.Count);
        var (scores, types) = ScoresAndTypes(table);
        file.Add("tokenizer.ggml.model", table.IsBytePair ? "llama" : "t5");
        file.Add("tokenizer.ggml.pre", "default");
        file.Add("tokenizer.ggml.tokens", [.. table.Pieces, .. Enumerable.Range(table.Pieces.Count, more).Select(id => $"[PAD{id}]")]);
        file.Add("tokenizer.ggml.scores", [.. scores, .. Enumerable.Repeat(-10_000f, more)]);
        file.Add("tokenizer.ggml.token_type", [.. types, .. Enumerable.Repeat(Unused, more)]);
        file.Add("tokenizer.ggml.unknown_token_id", tokenizer.UnknownId);
        foreach (var (key, id) in SpecialTokens(source))
            file.Add($"tokenizer.ggml.{key}_token_id", id);
        file.Add("tokenizer.ggml.add_bos_token", source.BeginsWithBos);
        file.Add("tokenizer.ggml.add_eos_token", false);
        file.Add("tokenizer.ggml.add_space_prefix", table.AddDummyPrefix);
        // Where it folds spaces, llama.cpp puts one in front of every text, whatever the key before says. Without a space in front a
        // tokenizer is better off with extra spaces left in.
        file.Add("tokenizer.ggml.remove_extra_whitespaces", table is { RemoveExtraWhitespaces: true, AddDummyPrefix: true });
        if (table.CompiledRules.Length > 0)
            file.Add("tokenizer.ggml.precompiled_charsmap", table.CompiledRules);
        if (source.IsTuned)
            file.Add("tokenizer.chat_template", InstructionFiles.ToJinja(source.Template));
    }

    private static void Refuse(VocabularyTable table, string path)
    {
        if (table is { IsBytePair: true, CompiledRules.Length: > 0 })
            throw new UserErrorException($"--format gguf: {path} joins byte pairs after normalising by rules of its own, which llama.cpp does not apply to byte pairs; export with --format transformers.");
        if (table.TreatWhitespaceAsSuffix || !table.EscapeWhitespaces)
            throw new UserErrorException($"--format gguf: {path} {(table.EscapeWhitespaces ? "puts a word's space behind it" : "keeps spaces as they are")}, which llama.cpp has no setting for; export with --format transformers.");
    }

    /// <summary>What llama.cpp reads otherwise, a sentence each.</summary>
    private static IEnumerable<string> Differences(VocabularyTable table, bool hasByteFallback)
    {
        if (table.IsBytePair && !hasByteFallback)
            yield return "this tokenizer has no pieces for bytes: llama.cpp fails on a text with a character that it does not know.";
        else if (!table.IsBytePair && hasByteFallback)
            yield return "llama.cpp spells no character in bytes with a unigram tokenizer: one without a piece of its own is unknown there.";
        if (table.RemoveExtraWhitespaces && (table.IsBytePair || !table.AddDummyPrefix))
            yield return "llama.cpp keeps spaces that this tokenizer drops: several in a row, and those at either end of a text.";
        if (table is { IsBytePair: true, AddDummyPrefix: true } && table.Types.Contains(UserDefined))
            yield return "llama.cpp puts a space behind each symbol that a user defined for this tokenizer.";
        if (table.PiecesKeptFromRules.Count > 0)
            yield return $"llama.cpp normalises symbols that this tokenizer keeps as they are, and so misses them: {string.Join(", ", table.PiecesKeptFromRules.Take(5))}.";
    }

    /// <summary>
    /// Before it normalises, llama.cpp's unigram tokenizer takes the first byte of a user-defined piece for the whole of it, which breaks
    /// every character that begins alike; and it starts anew behind such a piece. As ordinary pieces, with the weight that SentencePiece
    /// gives them, they are found where they stand.
    /// </summary>
    private static (IEnumerable<float> Scores, IEnumerable<int> Types) ScoresAndTypes(VocabularyTable table) => table.IsBytePair
        ? (table.Scores, table.Types)
        : (table.Scores.Select((score, id) => table.Types[id] == UserDefined ? table.UserDefinedScore(table.Pieces[id]) : score), table.Types.Select(type => type == UserDefined ? Normal : type));

    /// <summary>llama.cpp ends a text at any of <c>eos</c>, <c>eot</c> and <c>eom</c>: that is how a model with several end tokens is written.</summary>
    private static IEnumerable<(string Key, int Id)> SpecialTokens(ModelFolder source)
    {
        var (tokenizer, model) = (source.Tokenizer, source.Config);
        if ((tokenizer.BosId ?? model.BosTokenId) is { } begin)
            yield return ("bos", begin);
        if ((tokenizer.PadId ?? model.PadTokenId) is { } padding)
            yield return ("padding", padding);
        int[] ends = [.. source.EndTokens.OrderByDescending(id => id == tokenizer.EosId)];
        if (ends is [] && (tokenizer.EosId ?? model.EosTokenId) is { } end)
            ends = [end];
        foreach (var (key, id) in _endKeys.Zip(ends))
            yield return (key, id);
    }
}

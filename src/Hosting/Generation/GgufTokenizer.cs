using Streaming.Hosting.Configuration;
using Streaming.Model.Export;
using Streaming.Streams.Instructions;
using Streaming.Streams.Tokenization;

namespace Streaming.Hosting.Generation;

/// <summary>A SentencePiece model as llama.cpp reads it: its tokenizer <c>t5</c> is the unigram algorithm, <c>llama</c> that of byte pairs.</summary>
internal static class GgufTokenizer
{
    private const int Unused = 5;

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
        if (table is { IsBytePair: true, CompiledRules.Length: > 0 })
            throw new UserErrorException($"--format gguf: {tokenizerPath} joins byte pairs after normalising by rules of its own, which llama.cpp does not apply to byte pairs; export with --format transformers.");
        if (table.TreatWhitespaceAsSuffix || !table.EscapeWhitespaces)
            throw new UserErrorException($"--format gguf: {tokenizerPath} {(table.EscapeWhitespaces ? "puts a word's space behind it" : "keeps spaces as they are")}, which llama.cpp has no setting for; export with --format transformers.");
        if (table.IsBytePair && !tokenizer.HasByteFallback)
            notice("this tokenizer has no pieces for bytes: llama.cpp fails on a text with a character that it does not know.");
        else if (!table.IsBytePair && tokenizer.HasByteFallback)
            notice("llama.cpp spells no character in bytes with a unigram tokenizer: one without a piece of its own is unknown there.");
        // A model may have more ids than its tokenizer; llama.cpp wants a piece for each.
        var more = Math.Max(0, model.VocabularySize - table.Pieces.Count);
        file.Add("tokenizer.ggml.model", table.IsBytePair ? "llama" : "t5");
        file.Add("tokenizer.ggml.pre", "default");
        file.Add("tokenizer.ggml.tokens", [.. table.Pieces, .. Enumerable.Range(table.Pieces.Count, more).Select(id => $"[PAD{id}]")]);
        file.Add("tokenizer.ggml.scores", [.. table.Scores, .. Enumerable.Repeat(-10_000f, more)]);
        file.Add("tokenizer.ggml.token_type", [.. table.Types, .. Enumerable.Repeat(Unused, more)]);
        file.Add("tokenizer.ggml.unknown_token_id", tokenizer.UnknownId);
        foreach (var (key, id) in new[] { ("bos", tokenizer.BosId ?? model.BosTokenId), ("eos", tokenizer.EosId ?? model.EosTokenId), ("padding", tokenizer.PadId ?? model.PadTokenId) })
        {
            if (id is { } token)
                file.Add($"tokenizer.ggml.{key}_token_id", token);
        }
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
}

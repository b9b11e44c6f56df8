using Streaming.Hosting.Configuration;
using Streaming.Model;
using Streaming.Model.Export;
using Streaming.Streams.Tokenization;

namespace Streaming.Hosting.Generation;

/// <summary>A SentencePiece model as llama.cpp reads it: its tokenizer <c>t5</c> is the unigram algorithm, <c>llama</c> that of byte pairs.</summary>
internal static class GgufTokenizer
{
    private const int Unused = 5;

    public static void Add(GgufFile file, string tokenizerPath, TextTokenizer tokenizer, MistralConfig model)
    {
        if (tokenizer is JsonTokenizer)
            throw new UserErrorException($"--format gguf needs a SentencePiece model, and {tokenizerPath} is a tokenizer.json; give the model's tokenizer.model with --tokenizer.");
        var table = VocabularyTable.Read(tokenizerPath);
        if (table is { IsBytePair: true, CompiledRules.Length: > 0 })
            throw new UserErrorException($"--format gguf: {tokenizerPath} joins byte pairs after normalising by rules of its own, which llama.cpp does not apply to byte pairs; export with --format transformers.");
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
        file.Add("tokenizer.ggml.add_bos_token", false);
        file.Add("tokenizer.ggml.add_eos_token", false);
        file.Add("tokenizer.ggml.add_space_prefix", table.AddDummyPrefix);
        file.Add("tokenizer.ggml.remove_extra_whitespaces", table.RemoveExtraWhitespaces);
        if (table.CompiledRules.Length > 0)
            file.Add("tokenizer.ggml.precompiled_charsmap", table.CompiledRules);
    }
}

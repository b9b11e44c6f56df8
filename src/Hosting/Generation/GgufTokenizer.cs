using Streaming.Model;
using Streaming.Model.Export;
using Streaming.Streams.Tokenization;

namespace Streaming.Hosting.Generation;

/// <summary>A SentencePiece unigram model as llama.cpp reads it: its tokenizer <c>t5</c>, which is the unigram algorithm.</summary>
internal static class GgufTokenizer
{
    private const int Unused = 5;

    public static void Add(GgufFile file, string tokenizerPath, UnigramTokenizer tokenizer, MistralConfig model)
    {
        var table = VocabularyTable.Read(tokenizerPath);
        // A model may have more ids than its tokenizer; llama.cpp wants a piece for each.
        var more = Math.Max(0, model.VocabularySize - table.Pieces.Count);
        file.Add("tokenizer.ggml.model", "t5");
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

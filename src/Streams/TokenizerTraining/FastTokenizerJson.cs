using System.Text.Json;
using Streaming.Streams.Tokenization;
using Streaming.Streams.Tokenization.BytePairs;

namespace Streaming.Streams.TokenizerTraining;

/// <summary>
/// A SentencePiece model as the tokenizers library reads it (<c>tokenizer.json</c>, version 1.0). The text is not
/// split into words first: SentencePiece finds the best segmentation of the whole text, and so does the library then.
/// </summary>
internal static class FastTokenizerJson
{
    private const string Space = " ", Escaped = "\u2581";

    // Marks, half-width voice marks, joiners and skin tones: what makes one cluster with the character before it.
    private const string Joining = "\\p{M}\uFF9E\uFF9F\u200C\u200D\U0001F3FB-\U0001F3FF";

    /// <param name="json">Receives it.</param>
    /// <param name="model">The model.</param>
    /// <param name="begin">The piece that every text begins with; null where none does.</param>
    public static void Write(Utf8JsonWriter json, SentencePieceModel model, string? begin = null)
    {
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        json.WriteStartArray("added_tokens");
        foreach (var (id, piece) in new SpecialTokens(model).Tokens)
        {
            json.WriteStartObject();
            json.WriteNumber("id", id);
            SpecialTokens.WriteFields(json, piece);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        WriteNormalizer(json, model);
        WritePreTokenizer(json, model);
        WritePostProcessor(json, model, begin);
        WriteDecoder(json, model);
        WriteModel(json, model);
        json.WriteEndObject();
    }

    // In the order of SentencePiece's own normaliser: rules, extra spaces, the dummy space, escaping.
    private static void WriteNormalizer(Utf8JsonWriter json, SentencePieceModel model)
    {
        var spec = model.Normalizer!;
        BeginSequence(json, "normalizer", "normalizers");
        if (spec.CompiledRules.Length > 0)
        {
            var rules = new SentencePieceNormalizer(new NormalizerSpec { CompiledRules = spec.CompiledRules, AddDummyPrefix = false }, spaceAsSuffix: false, userDefined: null);
            // The library applies the rules to a character with its marks as one, and drops marks that no rule takes along.
            // Parted by a control character, which the rules then delete, each is taken by itself, and what belongs together
            // is composed afterwards.
            if (rules.Normalize("a\u0001") == "a")
                WriteReplace(json, "Regex", $@"(?<=[\s\S])(?=[{Joining}])", "\u0001");
            json.WriteStartObject();
            json.WriteString("type", "Precompiled");
            json.WriteBase64String("precompiled_charsmap", spec.CompiledRules);
            json.WriteEndObject();
            if (rules.Normalize("か\u3099") == "が")
                WriteType(json, "NFC");
        }
        if (spec.RemoveExtraWhitespaces)
        {
            // ^ and $ would match at line ends; nothing precedes the beginning of the text, nothing follows its end.
            WriteReplace(json, "Regex", @"(?<![\s\S]) +", "");
            WriteReplace(json, "Regex", $@"[ {Escaped}]+(?![\s\S])", "");
            WriteReplace(json, "Regex", " {2,}", Space);
        }
        if (spec.EscapeWhitespaces)
            WriteReplace(json, "String", Space, Escaped);
        if (spec.AddDummyPrefix)
        {
            var (pattern, content) = model.TreatWhitespaceAsSuffix ? (@"(?<=[\s\S])(?![\s\S])", Escaped) : (@"(?<![\s\S])(?=[\s\S])", Escaped);
            WriteReplace(json, "Regex", pattern, content);
        }
        EndSequence(json);
    }

    // A text that spells a byte's piece, <0x41>, is text: it is parted where no piece lies over, and so is never that piece.
    private static void WritePreTokenizer(Utf8JsonWriter json, SentencePieceModel model)
    {
        if (!model.ByteFallback || model.Type == ModelType.Bpe) // no merges make a byte's piece
        {
            json.WriteNull("pre_tokenizer");
            return;
        }
        json.WriteStartObject("pre_tokenizer");
        json.WriteString("type", "Split");
        WritePattern(json, "Regex", "<0(?=x[0-9A-F]{2}>)");
        json.WriteString("behavior", "MergedWithPrevious");
        json.WriteBoolean("invert", false);
        json.WriteEndObject();
    }

    private static void WritePostProcessor(Utf8JsonWriter json, SentencePieceModel model, string? begin)
    {
        if (begin is null)
        {
            json.WriteNull("post_processor");
            return;
        }
        json.WriteStartObject("post_processor");
        json.WriteString("type", "TemplateProcessing");
        foreach (var (form, texts) in new[] { ("single", new[] { "A" }), ("pair", ["A", "B"]) })
        {
            json.WriteStartArray(form);
            foreach (var (number, text) in texts.Index())
            {
                WriteTemplatePart(json, "SpecialToken", begin, number);
                WriteTemplatePart(json, "Sequence", text, number);
            }
            json.WriteEndArray();
        }
        json.WriteStartObject("special_tokens");
        json.WriteStartObject(begin);
        json.WriteString("id", begin);
        json.WriteStartArray("ids");
        json.WriteNumberValue(model.Pieces.FindIndex(piece => piece.Text == begin));
        json.WriteEndArray();
        json.WriteStartArray("tokens");
        json.WriteStringValue(begin);
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteTemplatePart(Utf8JsonWriter json, string kind, string id, int type)
    {
        json.WriteStartObject();
        json.WriteStartObject(kind);
        json.WriteString("id", id);
        json.WriteNumber("type_id", type);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteDecoder(Utf8JsonWriter json, SentencePieceModel model)
    {
        BeginSequence(json, "decoder", "decoders");
        WriteReplace(json, "String", Escaped, Space);
        if (model.ByteFallback)
            WriteType(json, "ByteFallback");
        WriteType(json, "Fuse");
        if (model.Normalizer!.AddDummyPrefix || model.Normalizer.RemoveExtraWhitespaces)
        {
            json.WriteStartObject();
            json.WriteString("type", "Strip");
            json.WriteString("content", Space);
            json.WriteNumber("start", 1);
            json.WriteNumber("stop", 0);
            json.WriteEndObject();
        }
        EndSequence(json);
    }

    private static void WriteModel(Utf8JsonWriter json, SentencePieceModel model)
    {
        if (model.Type == ModelType.Bpe)
        {
            WriteBytePairs(json, model);
            return;
        }
        json.WriteStartObject("model");
        json.WriteString("type", "Unigram");
        json.WriteNumber("unk_id", model.Pieces.FindIndex(piece => piece.Type == PieceType.Unknown));
        json.WriteStartArray("vocab");
        foreach (var piece in model.Pieces)
        {
            json.WriteStartArray();
            json.WriteStringValue(piece.Text);
            json.WriteNumberValue((double)piece.Score); // all digits: the library adds up doubles
            json.WriteEndArray();
        }
        json.WriteEndArray();
        json.WriteBoolean("byte_fallback", model.ByteFallback);
        json.WriteEndObject();
    }

    private static void WriteBytePairs(Utf8JsonWriter json, SentencePieceModel model)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteString("unk_token", model.Pieces.Find(piece => piece.Type == PieceType.Unknown).Text);
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", true);
        json.WriteBoolean("byte_fallback", model.ByteFallback);
        json.WriteBoolean("ignore_merges", false);
        json.WriteStartObject("vocab");
        foreach (var (id, piece) in model.Pieces.Index())
            json.WriteNumber(piece.Text, id);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (var (left, right) in new SentencePieceMerges(model).Listed())
        {
            json.WriteStartArray();
            json.WriteStringValue(left);
            json.WriteStringValue(right);
            json.WriteEndArray();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void BeginSequence(Utf8JsonWriter json, string property, string items)
    {
        json.WriteStartObject(property);
        json.WriteString("type", "Sequence");
        json.WriteStartArray(items);
    }

    private static void EndSequence(Utf8JsonWriter json)
    {
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteType(Utf8JsonWriter json, string type)
    {
        json.WriteStartObject();
        json.WriteString("type", type);
        json.WriteEndObject();
    }

    private static void WriteReplace(Utf8JsonWriter json, string kind, string pattern, string content)
    {
        json.WriteStartObject();
        json.WriteString("type", "Replace");
        WritePattern(json, kind, pattern);
        json.WriteString("content", content);
        json.WriteEndObject();
    }

    private static void WritePattern(Utf8JsonWriter json, string kind, string pattern)
    {
        json.WriteStartObject("pattern");
        json.WriteString(kind, pattern);
        json.WriteEndObject();
    }
}

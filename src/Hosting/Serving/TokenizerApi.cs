using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Streaming.Streams.Instructions;

namespace Streaming.Hosting.Serving;

/// <summary>
/// The tokenizer over HTTP, with the names of vLLM's server: <c>/tokenize</c>, <c>/detokenize</c>, <c>/tokenizer_info</c>. So a client that
/// counts tokens, lm-evaluation-harness say, needs no copy of the model's folder.
/// </summary>
internal sealed class TokenizerApi(ModelHub hub)
{
    public void Map(WebApplication application)
    {
        application.MapPost("/tokenize", TokenizeAsync);
        application.MapPost("/detokenize", DetokenizeAsync);
        application.MapGet("/tokenizer_info", context => ApiMessages.WriteAsync(context, Describe()));
    }

    /// <summary>A text or a conversation to ids. As in Transformers, a special token that a text spells out is that token.</summary>
    private async Task TokenizeAsync(HttpContext context)
    {
        var fields = await ApiMessages.ReadAsync(context).ConfigureAwait(false);
        var worker = hub.Current;
        int[] ids = fields.Has("messages") ? CompletionRequest.ReadMessages(worker.Model, fields).Ids : Encode(fields);
        await ApiMessages.WriteAsync(context, new JsonObject
        {
            ["count"] = ids.Length,
            ["max_model_len"] = worker.ContextLength,
            ["tokens"] = new JsonArray([.. ids.Select(id => JsonValue.Create(id))]),
        }).ConfigureAwait(false);
    }

    private int[] Encode(JsonFields fields)
    {
        var model = hub.Current.Model;
        var text = fields.Text("prompt") ?? throw ApiException.Invalid("prompt", "'prompt' is missing: give a text, or a conversation as 'messages'");
        int[] ids = PromptEncoder.EncodeSpelled(model.Tokenizer, text);
        return fields.Switch("add_special_tokens", otherwise: true) && model.BeginsWithBos && (model.Tokenizer.BosId ?? model.Config.BosTokenId) is { } begin
            ? [begin, .. ids]
            : ids;
    }

    private async Task DetokenizeAsync(HttpContext context)
    {
        var fields = await ApiMessages.ReadAsync(context).ConfigureAwait(false);
        var model = hub.Current.Model;
        if (!fields.Has("tokens") || fields.Get("tokens") is not { ValueKind: JsonValueKind.Array } list)
            throw ApiException.Invalid("tokens", "'tokens' must be a list of token ids");
        var ids = list.GetArrayLength() == 0 ? [] : CompletionRequest.ReadIds(model, fields, list, "tokens").Ids;
        await ApiMessages.WriteAsync(context, new JsonObject { ["prompt"] = model.Tokenizer.Decode(ids.Where(id => id < model.Tokenizer.VocabularySize).ToArray()) }).ConfigureAwait(false);
    }

    private JsonObject Describe()
    {
        var model = hub.Current.Model;
        string? Piece(int? id) => id is { } known && (uint)known < (uint)model.Tokenizer.VocabularySize ? model.Tokenizer.IdToPiece(known) : null;
        return new JsonObject
        {
            ["bos_token"] = Piece(model.Tokenizer.BosId),
            ["eos_token"] = Piece(model.Tokenizer.EosId),
            ["pad_token"] = Piece(model.Tokenizer.PadId),
            ["unk_token"] = Piece(model.Tokenizer.UnknownId),
            ["add_bos_token"] = model.BeginsWithBos,
            ["model_max_length"] = hub.Current.ContextLength,
            ["chat_template"] = InstructionFiles.ToJinja(model.Template),
        };
    }
}

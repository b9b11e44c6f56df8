using System.Text;
using System.Text.Json.Nodes;
using Streaming.Model.Generation;

namespace Streaming.Hosting.Serving;

/// <summary>Answers in the OpenAI API's shapes, whole or in chunks.</summary>
internal sealed class CompletionJson(CompletionRequest request, string modelName, bool isChat)
{
    private readonly string _id = $"{(isChat ? "chatcmpl" : "cmpl")}-{Guid.NewGuid():N}";
    private readonly long _created = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
    private readonly int[] _offsets = new int[request.Choices]; // characters of each text that its log probabilities reached

    /// <summary>The whole answer.</summary>
    public JsonObject Whole(IReadOnlyList<(string Text, IReadOnlyList<TokenDetail> Tokens, FinishReason Finish)> choices, int completionTokens)
    {
        var list = new JsonArray();
        for (var i = 0; i < choices.Count; i++)
        {
            var (text, tokens, finish) = choices[i];
            var choice = new JsonObject { ["index"] = i };
            if (isChat)
                choice["message"] = new JsonObject { ["role"] = "assistant", ["content"] = text, ["refusal"] = null };
            else
                choice["text"] = text;
            choice["logprobs"] = LogProbabilities(i, tokens);
            choice["finish_reason"] = Reason(finish);
            list.Add((JsonNode)choice);
        }
        var answer = Envelope(isChat ? "chat.completion" : "text_completion", list);
        answer["usage"] = Usage(completionTokens);
        return answer;
    }

    /// <summary>A chunk of a stream.</summary>
    public JsonObject Chunk(CompletionEvent happened)
    {
        var choice = new JsonObject { ["index"] = happened.Choice };
        if (isChat)
            choice["delta"] = happened.Text.Length > 0 ? new JsonObject { ["content"] = happened.Text } : new JsonObject();
        else
            choice["text"] = happened.Text;
        choice["logprobs"] = happened.Tokens.Count > 0 ? LogProbabilities(happened.Choice, happened.Tokens) : null;
        choice["finish_reason"] = happened.Finish is { } finish ? Reason(finish) : null;
        return StreamEnvelope(new JsonArray(choice));
    }

    /// <summary>Chat: what a choice's stream begins with.</summary>
    public JsonObject Role(int choice) => StreamEnvelope(new JsonArray(new JsonObject
    {
        ["index"] = choice,
        ["delta"] = new JsonObject { ["role"] = "assistant", ["content"] = "" },
        ["logprobs"] = null,
        ["finish_reason"] = null,
    }));

    /// <summary>The last chunk where usage was asked for.</summary>
    public JsonObject UsageChunk(int completionTokens)
    {
        var chunk = StreamEnvelope([]);
        chunk["usage"] = Usage(completionTokens);
        return chunk;
    }

    private JsonObject StreamEnvelope(JsonArray choices) => Envelope(isChat ? "chat.completion.chunk" : "text_completion", choices);

    private JsonObject Envelope(string kind, JsonArray choices) => new()
    {
        ["id"] = _id,
        ["object"] = kind,
        ["created"] = _created,
        ["model"] = modelName,
        ["system_fingerprint"] = request.Model.Name,
        ["choices"] = choices,
    };

    private JsonObject Usage(int completionTokens) => new()
    {
        ["prompt_tokens"] = request.PromptTokens,
        ["completion_tokens"] = completionTokens,
        ["total_tokens"] = request.PromptTokens + completionTokens,
    };

    private static string Reason(FinishReason finish) => finish == FinishReason.Length ? "length" : "stop";

    private JsonObject? LogProbabilities(int choice, IReadOnlyList<TokenDetail> tokens)
    {
        if (request.Parameters.LogProbabilities is null)
            return null;
        return isChat
            ? new JsonObject { ["content"] = new JsonArray([.. tokens.Select(ChatToken)]), ["refusal"] = null }
            : CompletionTokens(choice, tokens);
    }

    private JsonNode ChatToken(TokenDetail token)
    {
        var json = ChatEntry(token.Token, token.LogProbability ?? 0);
        json["top_logprobs"] = new JsonArray([.. token.Top.Select(top => (JsonNode)ChatEntry(top.Token, top.LogProbability))]);
        return json;
    }

    private JsonObject ChatEntry(int token, float logProbability)
    {
        var name = Name(token);
        return new JsonObject
        {
            ["token"] = name,
            ["logprob"] = Finite(logProbability),
            ["bytes"] = new JsonArray([.. Bytes(name).Select(value => (JsonNode)value)]),
        };
    }

    private JsonObject CompletionTokens(int choice, IReadOnlyList<TokenDetail> tokens)
    {
        JsonArray names = [], values = [], tops = [], offsets = [];
        foreach (var token in tokens)
        {
            var name = Name(token.Token);
            names.Add((JsonNode)name);
            values.Add(token.LogProbability is { } value ? (JsonNode)Finite(value) : null);
            offsets.Add((JsonNode)_offsets[choice]);
            _offsets[choice] += Bytes(name).Length == 1 && name.Length > 1 ? 1 : name.Length;
            JsonObject? top = null;
            if (token.LogProbability is { } own)
            {
                top = [];
                foreach (var (id, logProbability) in token.Top)
                    top[Name(id)] = Finite(logProbability);
                if (request.Parameters.LogProbabilities > 0)
                    top.TryAdd(name, Finite(own)); // the API lists the chosen token too
            }
            tops.Add((JsonNode?)top);
        }
        return new JsonObject { ["tokens"] = names, ["token_logprobs"] = values, ["top_logprobs"] = tops, ["text_offset"] = offsets };
    }

    private string Name(int token) => CompletionText.Name(request.Model.Tokenizer, token);

    /// <summary>A byte's piece is that byte.</summary>
    private static byte[] Bytes(string name) =>
        name is ['<', '0', 'x', var high, var low, '>'] && char.IsAsciiHexDigit(high) && char.IsAsciiHexDigit(low)
            ? [Convert.ToByte($"{high}{low}", 16)]
            : Encoding.UTF8.GetBytes(name);

    /// <summary>JSON has no infinity: a token that cannot come has a very low number instead.</summary>
    private static float Finite(float value) => float.IsFinite(value) ? value : -9999f;
}

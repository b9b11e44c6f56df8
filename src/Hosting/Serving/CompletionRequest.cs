using System.Text.Json;
using System.Threading.Channels;
using Streaming.Hosting.Generation;
using Streaming.Model.Generation;

namespace Streaming.Hosting.Serving;

/// <summary>A request that a model has taken: its texts run, their events come through a channel.</summary>
internal sealed class CompletionRequest
{
    private readonly Channel<CompletionEvent> _events = Channel.CreateUnbounded<CompletionEvent>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    private readonly List<CompletionText> _texts = [];

    private CompletionRequest(CompletionParameters parameters, ModelFolder model) => (Parameters, Model) = (parameters, model);

    public CompletionParameters Parameters { get; }

    public ModelFolder Model { get; }

    public ChannelReader<CompletionEvent> Events => _events.Reader;

    public int Choices => _texts.Count;

    /// <summary>Tokens of all prompts, each counted once.</summary>
    public int PromptTokens { get; private set; }

    /// <summary>Hands a request to the model that is served now.</summary>
    /// <exception cref="ApiException">It is refused: wrong, too long, or too much is under way.</exception>
    public static CompletionRequest Submit(ModelHub hub, JsonFields fields, bool isChat)
    {
        while (true)
        {
            var worker = hub.Current;
            var parameters = CompletionParameters.Read(fields, isChat, worker.Model.Config, worker.Model.EndTokens);
            var request = new CompletionRequest(parameters, worker.Model);
            foreach (var (text, ids) in isChat ? [ReadMessages(worker.Model, fields)] : ReadPrompts(worker.Model, fields))
                request.Add(text, ids, worker, isChat ? "messages" : "prompt");
            if (request._texts.Count > worker.MostTexts)
                throw ApiException.Invalid(parameters.Choices > 1 ? "n" : "prompt", $"the request asks for {request._texts.Count} texts, this server takes at most {worker.MostTexts} at once; send them in several requests");
            switch (worker.TrySubmit(request._texts))
            {
                case Submission.Accepted:
                    return request;
                case Submission.Full:
                    throw new ApiException(429, $"{worker.Pending} texts are under way or waiting, as many as this server takes; try again in a moment", code: "rate_limit_exceeded");
                default:
                    if (ReferenceEquals(worker, hub.Current)) // the server ends
                        throw new ApiException(503, "the server is stopping; try again once it is back");
                    break;
            }
        }
    }

    /// <summary>Ends the texts: nobody listens any more.</summary>
    public void Cancel()
    {
        foreach (var text in _texts)
            text.Cancel();
    }

    private void Add(string promptText, int[] ids, ModelWorker worker, string field)
    {
        try
        {
            TextRequest.CheckPrompt(ids, worker.Model.Config, worker.ContextLength);
        }
        catch (GenerationException mistake)
        {
            throw ApiException.Invalid(field, mistake.Message, ids.Length >= worker.ContextLength ? "context_length_exceeded" : null);
        }
        PromptTokens += ids.Length;
        for (var i = 0; i < Parameters.Choices; i++)
        {
            var options = Parameters.Options with { Seed = Parameters.Options.Seed + i };
            _texts.Add(new CompletionText(_texts.Count, ids, promptText, options, Parameters, worker.Model, _events.Writer));
        }
    }

    /// <summary>A conversation in the model's template.</summary>
    public static (string Text, int[] Ids) ReadMessages(ModelFolder model, JsonFields fields)
    {
        if (!fields.Has("messages") || fields.Get("messages") is not { ValueKind: JsonValueKind.Array } list || list.GetArrayLength() == 0)
            throw ApiException.Invalid("messages", "'messages' must be a list of at least one message, {\"role\": \"user\", \"content\": \"…\"}");
        var messages = new List<(string Role, string Content)>();
        foreach (var message in list.EnumerateArray())
        {
            if (message.ValueKind != JsonValueKind.Object || !message.TryGetProperty("role", out var role) || role.ValueKind != JsonValueKind.String
                || role.GetString() is not ("system" or "developer" or "user" or "assistant") || !message.TryGetProperty("content", out var content))
                throw ApiException.Invalid("messages", $"message {messages.Count + 1} must have a role (system, developer, user or assistant) and a content");
            messages.Add((role.GetString()!, ReadContent(content)));
        }
        return ChatPrompt.Of(model, messages);
    }

    /// <summary>A text, or a list of parts of which each is a text.</summary>
    private static string ReadContent(JsonElement content) => content.ValueKind switch
    {
        JsonValueKind.String => JsonFields.ReadText(content, "messages"),
        JsonValueKind.Array when content.EnumerateArray().All(part => part.ValueKind == JsonValueKind.Object && part.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String)
            => string.Concat(content.EnumerateArray().Select(part => JsonFields.ReadText(part.GetProperty("text"), "messages"))),
        _ => throw ApiException.Invalid("messages", "a message's content must be a text, or a list of parts {\"type\": \"text\", \"text\": \"…\"}"),
    };

    /// <summary>A text, a list of texts, a list of token ids, or a list of such lists.</summary>
    private static List<(string Text, int[] Ids)> ReadPrompts(ModelFolder model, JsonFields fields)
    {
        if (!fields.Has("prompt"))
            throw ApiException.Invalid("prompt", "'prompt' is missing: give a text, a list of texts, or token ids");
        var value = fields.Get("prompt");
        if (value.ValueKind == JsonValueKind.String)
            return [Encode(model, value)];
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() == 0)
            throw fields.Wrong("prompt", "a text, a list of texts, or token ids, and not empty");
        var items = value.EnumerateArray().ToList();
        if (items.TrueForAll(item => item.ValueKind == JsonValueKind.String))
            return [.. items.Select(item => Encode(model, item))];
        if (items.TrueForAll(item => item.ValueKind == JsonValueKind.Number))
            return [ReadIds(model, fields, value)];
        return items.TrueForAll(item => item.ValueKind == JsonValueKind.Array)
            ? [.. items.Select(item => ReadIds(model, fields, item))]
            : throw fields.Wrong("prompt", "a text, a list of texts, or token ids");
    }

    private static (string Text, int[] Ids) Encode(ModelFolder model, JsonElement item)
    {
        var text = JsonFields.ReadText(item, "prompt");
        var ids = model.Encode(text);
        return ids.Length > 0 ? (text, ids) : throw ApiException.Invalid("prompt", "the prompt is empty; give it some text");
    }

    /// <summary>A list of token ids that is not empty, and the text that they stand for.</summary>
    public static (string Text, int[] Ids) ReadIds(ModelFolder model, JsonFields fields, JsonElement list, string name = "prompt")
    {
        var ids = new List<int>();
        foreach (var item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out var id))
                throw fields.Wrong(name, "token ids, which are whole numbers");
            if ((uint)id >= (uint)model.Config.VocabularySize)
                throw ApiException.Invalid(name, $"token {id} of '{name}' is not in the model's vocabulary of {model.Config.VocabularySize}");
            ids.Add(id);
        }
        return ids.Count > 0
            ? (model.Tokenizer.Decode(ids.Where(id => id < model.Tokenizer.VocabularySize).ToArray()), [.. ids])
            : throw ApiException.Invalid(name, "the prompt has no tokens; give it some");
    }
}

using System.Text;
using Streaming.Hosting.Generation;
using Streaming.Streams.Text;

namespace Streaming.Hosting.Serving;

/// <summary>
/// How a conversation becomes a prompt, in the form in which the model was tuned: the last message of the user is the
/// instruction, what the system says is its input, and earlier turns stand before it with their answers and their ends.
/// </summary>
internal static class ChatPrompt
{
    /// <summary>The prompt of a conversation, as text and as ids.</summary>
    /// <exception cref="ApiException">It has no message of the user to answer.</exception>
    public static (string Text, int[] Ids) Of(ModelFolder model, IReadOnlyList<(string Role, string Content)> messages)
    {
        var system = string.Join('\n', messages.Where(message => message.Role is "system" or "developer").Select(message => message.Content));
        var encoder = model.CreatePromptEncoder();
        var (text, ids) = (new StringBuilder(), new TokenBuffer());
        string? asked = null;
        foreach (var (role, content) in messages.Where(message => message.Role is "user" or "assistant"))
        {
            if (role == "user")
            {
                asked = asked is null ? content : asked + "\n" + content;
                continue;
            }
            Ask(asked ?? "");
            text.Append(content);
            encoder.EncodeAnswer(content, ids);
            if (model.Tokenizer.EosId is { } end)
            {
                text.Append(model.Tokenizer.IdToPiece(end));
                ids.Add(end);
            }
            asked = null;
        }
        if (asked is null)
            throw ApiException.Invalid("messages", "'messages' must end with a message of the user, which is what is answered");
        if (string.IsNullOrWhiteSpace(asked))
            throw ApiException.Invalid("messages", "the last message of the user is empty; give it some text");
        Ask(asked);
        return (text.ToString(), ids.Span.ToArray());

        void Ask(string instruction)
        {
            text.Append(model.Template.Format(instruction, system));
            encoder.Encode(instruction, system, ids);
        }
    }
}

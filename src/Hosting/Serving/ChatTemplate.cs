using System.Text;

namespace Streaming.Hosting.Serving;

/// <summary>
/// How a conversation becomes a prompt: the recipe's Alpaca-style forms, in which the model was tuned. The last message of
/// the user is the instruction, what the system says is its input, and earlier turns stand before it with their answers.
/// </summary>
/// <param name="WithInput">Holds <c>{instruction}</c> and <c>{input}</c>.</param>
/// <param name="WithoutInput">Holds <c>{instruction}</c>.</param>
internal sealed record ChatTemplate(string WithInput, string WithoutInput)
{
    public static ChatTemplate Recipe { get; } = new(
        "以下は、タスクを説明する指示と、文脈のある入力の組み合わせです。要求を適切に満たす応答を書きなさい。\n\n### 指示:\n{instruction}\n\n### 入力:\n{input}\n\n### 応答:\n",
        "以下は、タスクを説明する指示です。要求を適切に満たす応答を書きなさい。\n\n### 指示:\n{instruction}\n\n### 応答:\n");

    /// <summary>The prompt of one instruction.</summary>
    public string Format(string instruction, string input) => input.Length == 0
        ? WithoutInput.Replace("{instruction}", instruction, StringComparison.Ordinal)
        // One pass, so that an instruction that spells {input} stays as it is.
        : string.Join(instruction, WithInput.Split("{instruction}").Select(part => part.Replace("{input}", input, StringComparison.Ordinal)));

    /// <summary>The prompt of a conversation.</summary>
    /// <exception cref="ApiException">It has no message of the user to answer.</exception>
    public string Format(IReadOnlyList<(string Role, string Content)> messages)
    {
        var system = string.Join('\n', messages.Where(message => message.Role is "system" or "developer").Select(message => message.Content));
        var prompt = new StringBuilder();
        string? asked = null;
        foreach (var (role, content) in messages.Where(message => message.Role is "user" or "assistant"))
        {
            if (role == "user")
            {
                asked = asked is null ? content : asked + "\n" + content;
                continue;
            }
            prompt.Append(Format(asked ?? "", system)).Append(content).Append("\n\n");
            asked = null;
        }
        return asked is null
            ? throw ApiException.Invalid("messages", "'messages' must end with a message of the user, which is what is answered")
            : prompt.Append(Format(asked, system)).ToString();
    }
}

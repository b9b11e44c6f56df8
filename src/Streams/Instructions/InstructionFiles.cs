using System.Text;

namespace Streaming.Streams.Instructions;

/// <summary>
/// What a tuned model's folder says of how it is asked: <see cref="InstructionTemplate.FileName"/> for this program, and
/// <c>chat_template.jinja</c>, from which Transformers' <c>apply_chat_template</c> (and whatever serves its folders) makes the same prompts.
/// </summary>
public static class InstructionFiles
{
    public const string ChatTemplate = "chat_template.jinja";

    /// <summary>The files by name; none without a template.</summary>
    public static IReadOnlyList<(string Name, byte[] Bytes)> Make(InstructionTemplate? template) => template is null
        ? []
        : [(InstructionTemplate.FileName, Encoding.UTF8.GetBytes(template.ToJson())), (ChatTemplate, Encoding.UTF8.GetBytes(ToJinja(template)))];

    /// <summary>
    /// A conversation as <c>streaming serve</c> has it: what the system says is the input, messages of the user without an
    /// answer between them are one instruction, earlier answers end as they did in tuning.
    /// </summary>
    public static string ToJinja(InstructionTemplate template) =>
        """
        {%- set system = namespace(text='') -%}
        {%- for message in messages if message['role'] in ['system', 'developer'] -%}
        {%- set system.text = system.text + ('\n' if not loop.first else '') + message['content'] -%}
        {%- endfor -%}
        {%- macro prompt(asked) -%}
        {%- if system.text.strip() -%}
        {{ WITH_INPUT }}
        {%- else -%}
        {{ WITHOUT_INPUT }}
        {%- endif -%}
        {%- endmacro -%}
        {%- set turn = namespace(asked=none) -%}
        {%- for message in messages -%}
        {%- if message['role'] == 'user' -%}
        {%- set turn.asked = message['content'] if turn.asked is none else turn.asked + '\n' + message['content'] -%}
        {%- elif message['role'] == 'assistant' -%}
        {{ prompt(turn.asked if turn.asked is not none else '') + message['content'] + eos_token }}
        {%- set turn.asked = none -%}
        {%- endif -%}
        {%- endfor -%}
        {%- if turn.asked is not none -%}
        {{ prompt(turn.asked) }}
        {%- endif -%}

        """
            .Replace("WITH_INPUT", Expression(template.WithInput), StringComparison.Ordinal)
            .Replace("WITHOUT_INPUT", Expression(template.WithoutInput), StringComparison.Ordinal).TrimEnd('\n');

    /// <summary>A form as a Jinja expression.</summary>
    private static string Expression(string form) => string.Join(" + ", InstructionTemplate.Parts(form).Select(part => part switch
    {
        InstructionTemplate.Instruction => "asked",
        InstructionTemplate.Input => "system.text",
        _ => $"'{part.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal).Replace("\r", "\\r", StringComparison.Ordinal)}'",
    }));
}

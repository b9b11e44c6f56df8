using System.Text;
using Streaming.Hosting.Configuration;
using Streaming.Model.Generation;

namespace Streaming.Hosting.Generation;

/// <summary>The prompts that a command line names, checked against the model.</summary>
internal static class Prompts
{
    /// <summary>Texts, those of the file, instructions, in this order.</summary>
    /// <param name="model">Encodes.</param>
    /// <param name="texts">Texts to continue.</param>
    /// <param name="file">Holds more of them, one a line; <c>-</c> is standard input; null where there is none.</param>
    /// <param name="instructions">What is asked in the model's template.</param>
    /// <param name="inputs">The instructions' inputs, in order; may be fewer.</param>
    /// <exception cref="UserErrorException">There is none, one is empty or too long, or the file cannot be read.</exception>
    public static IReadOnlyList<(string Text, int[] Ids)> Read(ModelFolder model, string[] texts, string? file, string[] instructions, string[] inputs)
    {
        if (inputs.Length > instructions.Length)
            throw new UserErrorException($"--input was given {inputs.Length} times and --instruction {instructions.Length}; an input belongs to an instruction.");
        var prompts = new List<(string Text, int[] Ids)>();
        foreach (var text in texts.Concat(ReadFile(file)))
            prompts.Add((text, Check(model, model.Encode(text), "--prompt", prompts.Count)));
        var encoder = model.CreatePromptEncoder();
        for (var i = 0; i < instructions.Length; i++)
        {
            if (string.IsNullOrWhiteSpace(instructions[i]))
                throw new UserErrorException($"--instruction: instruction {i + 1} is empty; give it some text.");
            var input = i < inputs.Length ? inputs[i] : "";
            prompts.Add((model.Template.Format(instructions[i], input), Check(model, encoder.Encode(instructions[i], input), "--instruction", i)));
        }
        return prompts.Count > 0 ? prompts : throw new UserErrorException("there is no text to continue; give one with --prompt, or a file of them with --prompts.");
    }

    private static int[] Check(ModelFolder model, int[] ids, string option, int index)
    {
        if (ids.Length == 0)
            throw new UserErrorException($"{option}: prompt {index + 1} is empty; give it some text.");
        try
        {
            TextRequest.CheckPrompt(ids, model.Config, model.Config.MaxPositions);
            return ids;
        }
        catch (GenerationException mistake)
        {
            throw new UserErrorException($"{option}: {mistake.Message}.");
        }
    }

    private static IEnumerable<string> ReadFile(string? file)
    {
        try
        {
            return file switch
            {
                null => [],
                "-" => [.. ReadStandardInput()],
                _ => File.ReadAllLines(file),
            };
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"--prompts: {file} cannot be read: {failure.Message.TrimEnd('.')}.");
        }
    }

    private static IEnumerable<string> ReadStandardInput()
    {
        using var reader = new StreamReader(Console.OpenStandardInput(), Encoding.UTF8);
        while (reader.ReadLine() is { } line)
            yield return line;
    }
}

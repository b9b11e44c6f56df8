using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using Streaming.Hosting.Text;
using Streaming.Streams.Normalization;
using Streaming.Streams.Text;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming normalize</c>: the text path's normalisation and sentence splitting as a filter.</summary>
internal static class NormalizeCommand
{
    public static Command Create()
    {
        var json = new Option<bool>("--jsonl")
        {
            Description = "Write one object for each line instead: {\"normalized\": …, \"sentences\": […]}.",
        };
        var command = new Command("normalize", "Normalise lines of standard input as neologdn does and split them into sentences, one a line, on standard output.") { json };
        command.SetAction(parsed =>
        {
            LineFilter.RunOverStandardInput(parsed.GetValue(json) ? Objects() : Sentences());
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>Each line becomes its sentences, none or more.</summary>
    internal static LineFilter.Line Sentences()
    {
        var normalized = new TextBatch();
        var sentences = new TextBatch();
        return (line, output) =>
        {
            Split(line, normalized, sentences);
            for (var i = 0; i < sentences.Count; i++)
            {
                output.Write(sentences[i]);
                output.EndLine();
            }
        };
    }

    /// <summary>Each line becomes one JSON object.</summary>
    internal static LineFilter.Line Objects()
    {
        var normalized = new TextBatch();
        var sentences = new TextBatch();
        Utf8JsonWriter? json = null;
        return (line, output) =>
        {
            Split(line, normalized, sentences);
            json ??= new Utf8JsonWriter(output, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
            json.Reset(output);
            json.WriteStartObject();
            json.WriteString("normalized", normalized[0]);
            json.WriteStartArray("sentences");
            for (var i = 0; i < sentences.Count; i++)
                json.WriteStringValue(sentences[i]);
            json.WriteEndArray();
            json.WriteEndObject();
            json.Flush();
            output.EndLine();
        };
    }

    private static void Split(ReadOnlySpan<char> line, TextBatch normalized, TextBatch sentences)
    {
        normalized.Clear();
        sentences.Clear();
        JapaneseNormalizer.Normalize(line.EndsWith('\r') ? line[..^1] : line, normalized);
        normalized.EndLine();
        SentenceSplitter.Split(normalized[0], sentences);
    }
}

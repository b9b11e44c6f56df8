using System.CommandLine;
using System.Globalization;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Text;
using Streaming.Streams.Text;
using Streaming.Streams.Tokenization;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming tokenize</c>: text to ids and back as a filter, as spm_encode and spm_decode do it.</summary>
internal static class TokenizeCommand
{
    public static Command Create()
    {
        var model = new Option<string>("--tokenizer", "-t")
        {
            Description = "SentencePiece model, or a tokenizer.json.",
            HelpName = "file",
            Required = true,
        };
        var decode = new Option<bool>("--decode", "-d") { Description = "Turn lines of ids back into lines of text." };
        var command = new Command("tokenize", "Turn lines of standard input into lines of token ids, separated by blanks, on standard output.") { model, decode };
        command.SetAction(parsed =>
        {
            var tokenizer = Load(parsed.GetRequiredValue(model));
            LineFilter.RunOverStandardInput(parsed.GetValue(decode) ? Decode(tokenizer) : Encode(tokenizer));
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>Each line becomes its ids; an empty line stays one. Everything up to the line feed is text, as for spm_encode.</summary>
    internal static LineFilter.Line Encode(TextTokenizer tokenizer)
    {
        var encoder = tokenizer.CreateEncoder();
        var ids = new TokenBuffer();
        return (line, output) =>
        {
            ids.Clear();
            encoder.Encode(line, ids);
            for (var i = 0; i < ids.Count; i++)
            {
                if (i > 0)
                    output.Write((byte)' ');
                output.Write(ids.Span[i]);
            }
            output.EndLine();
        };
    }

    /// <summary>Each line of ids becomes its text.</summary>
    /// <remarks>Throws <see cref="UserErrorException"/> at what is no id, with its line.</remarks>
    internal static LineFilter.Line Decode(TextTokenizer tokenizer)
    {
        var number = 0L;
        return (line, output) =>
        {
            number++;
            var decoder = tokenizer.CreateDecoder();
            foreach (var range in line.SplitAny(' ', '\t', '\r'))
            {
                var word = line[range];
                if (word.IsEmpty)
                    continue;
                if (!int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var id) || id >= tokenizer.VocabularySize)
                {
                    output.Flush();
                    throw new UserErrorException($"line {number} of standard input: '{Shorten(word)}' is no id of this tokenizer, which has 0 to {tokenizer.VocabularySize - 1}.", ExitCodes.Failed);
                }
                output.Write(decoder.Append(id));
            }
            output.Write(decoder.Finish());
            output.EndLine();
        };
    }

    internal static TextTokenizer Load(string path)
    {
        try
        {
            return TextTokenizer.Load(path);
        }
        catch (InvalidDataException mistake)
        {
            throw new UserErrorException($"--tokenizer: {mistake.Message}");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new UserErrorException($"--tokenizer: {failure.Message.TrimEnd('.')}.");
        }
    }

    private static string Shorten(ReadOnlySpan<char> word) => word.Length <= 40 ? word.ToString() : $"{word[..40]}…";
}

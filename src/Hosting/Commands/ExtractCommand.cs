using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Terminal;
using Streaming.Hosting.Text;
using Streaming.Streams.Sources;
using Streaming.Streams.Sources.Http;
using Streaming.Streams.Text;
using Streaming.Streams.Wikipedia;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming extract</c>: the text of a dump, as the text path would take it, on standard output.</summary>
internal static class ExtractCommand
{
    /// <summary>Writes one article.</summary>
    public delegate void Article(WikiPage page, LineWriter output);

    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "The dump, plain or compressed by bzip2, xz, gzip or zstd; - is standard input." };
        var kind = new Option<string>("--kind") { Description = "What the file is.", Required = true };
        kind.AcceptOnlyFromAmong("wikipedia");
        var json = new Option<bool>("--jsonl") { Description = "Write one object for each article instead: {\"id\": …, \"title\": …, \"text\": …}." };
        var headings = new Option<string>("--headings")
        {
            Description = "Headings of sections that have text: with a full stop (sentence), as they are (plain), or none (drop).",
            DefaultValueFactory = _ => "sentence",
        };
        headings.AcceptOnlyFromAmong("sentence", "plain", "drop");
        var lists = new Option<string>("--lists") { Description = "Items of lists: keep or drop.", DefaultValueFactory = _ => "drop" };
        lists.AcceptOnlyFromAmong("keep", "drop");
        var minimum = new Option<int>("--min-line-characters")
        {
            Description = "Lines with fewer characters are dropped; 0 keeps all.",
            HelpName = "number",
            DefaultValueFactory = _ => LineRules.RecipeMinimumCharacters,
        };
        minimum.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() < 0)
                result.AddError($"--min-line-characters must be 0 or more (characters), was {result.GetValueOrDefault<int>()}");
        });
        var command = new Command("extract", "Write the articles of a MediaWiki dump as plain text on standard output, a paragraph a line, an empty line between articles.")
        {
            file, kind, json, headings, lists, minimum,
        };
        command.SetAction(parsed =>
        {
            var options = new WikitextOptions
            {
                Headings = Enum.Parse<HeadingStyle>(parsed.GetRequiredValue(headings), ignoreCase: true),
                KeepLists = parsed.GetRequiredValue(lists) == "keep",
                MinimumLineCharacters = parsed.GetRequiredValue(minimum),
            };
            RunOverFile(parsed.GetRequiredValue(file), options, parsed.GetValue(json) ? Objects() : Lines());
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>Each article becomes its lines and an empty one, as in cc100; one without lines becomes nothing.</summary>
    internal static Article Lines() => (page, output) =>
    {
        for (var index = 0; index < page.Lines.Count; index++)
        {
            output.Write(page.Lines[index]);
            output.EndLine();
        }
        if (page.Lines.Count > 0)
            output.EndLine();
    };

    /// <summary>Each article becomes one JSON object; its lines are separated by line feeds.</summary>
    internal static Article Objects()
    {
        var text = new TextBatch();
        Utf8JsonWriter? json = null;
        return (page, output) =>
        {
            text.Clear();
            for (var index = 0; index < page.Lines.Count; index++)
            {
                if (index > 0)
                    text.Append("\n");
                text.Append(page.Lines[index]);
            }
            json ??= new Utf8JsonWriter(output, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
            json.Reset(output);
            json.WriteStartObject();
            Span<char> number = stackalloc char[20];
            page.Id.TryFormat(number, out var digits);
            json.WriteString("id", number[..digits]);
            json.WriteString("title", page.Title);
            json.WriteString("text", text.Pending);
            json.WriteEndObject();
            json.Flush();
            output.EndLine();
        };
    }

    /// <summary>Writes the articles of a dump.</summary>
    /// <exception cref="UserErrorException">There is no such file, or it cannot be read to its end.</exception>
    internal static void Run(string path, Stream output, WikitextOptions options, Article article)
    {
        var files = FilesOf(path);
        var writer = new LineWriter(output);
        var extractor = new PageExtractor(options);
        var page = new WikiPage();
        try
        {
            foreach (var file in files)
            {
                using var dump = new WikiDump(file);
                while (dump.TryRead(out var xml))
                {
                    if (extractor.Extract(xml, page) == PageKind.Article)
                        article(page, writer);
                }
            }
        }
        catch (SourceException failure)
        {
            writer.Flush();
            throw new UserErrorException(failure.Message, ExitCodes.Failed);
        }
        writer.Flush();
    }

    private static IReadOnlyList<SourceFile> FilesOf(string path)
    {
        try
        {
            return SourceList.Expand([path], HttpOptions.Default with { OnNotice = Screen.ForConsole().WriteNotice });
        }
        catch (SourceException mistake)
        {
            throw new UserErrorException(mistake.Message);
        }
    }

    private static void RunOverFile(string path, WikitextOptions options, Article article)
    {
        using var output = new StandardOutput();
        Run(path, output, options, article);
    }
}

// What Microsoft.ML.Tokenizers makes of the lines of a file with byte pairs: ids to a file, time and allocation to the screen.
//
//     dotnet run benchmarks/microsoft_tokenizers.cs MODEL LINES IDS
//
// MODEL is a SentencePiece .model, whose ids spm_encode gives too:
//     spm_encode --model=MODEL --output_format=id < LINES | diff - IDS | grep -c '^<'
// or a tokenizer.json of byte-level pairs with GPT-2's words, whose ids "streaming tokenize --tokenizer MODEL" gives.
#:package Microsoft.ML.Tokenizers@2.0.1
#:property PublishAot=false
#:property ManagePackageVersionsCentrally=false

using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;

var tokenizer = args[0].EndsWith(".json", StringComparison.Ordinal) ? ByteLevel(args[0]) : SentencePiece(args[0]);
var lines = File.ReadAllLines(args[1]);
using var ids = new StreamWriter(args[2]);
var (bytes, time) = (GC.GetTotalAllocatedBytes(), Process.GetCurrentProcess().TotalProcessorTime);
foreach (var line in lines)
    ids.Write(string.Join(' ', tokenizer.EncodeToIds(line)) + "\n");
time = Process.GetCurrentProcess().TotalProcessorTime - time;
Console.WriteLine($"{lines.Length} lines: {time.TotalSeconds:F2} s of processor time, {(GC.GetTotalAllocatedBytes() - bytes) / lines.Length} bytes allocated a line");

static Tokenizer SentencePiece(string path)
{
    using var file = File.OpenRead(path);
    return SentencePieceTokenizer.Create(file, addBeginningOfSentence: false, addEndOfSentence: false);
}

static Tokenizer ByteLevel(string path)
{
    using var json = JsonDocument.Parse(File.ReadAllBytes(path));
    var model = json.RootElement.GetProperty("model");
    return BpeTokenizer.Create(new BpeOptions(model.GetProperty("vocab").EnumerateObject().Select(piece => KeyValuePair.Create(piece.Name, piece.Value.GetInt32())))
    {
        ByteLevel = true,
        Merges = [.. model.GetProperty("merges").EnumerateArray().Select(pair => pair.ValueKind == JsonValueKind.String ? pair.GetString()! : $"{pair[0].GetString()} {pair[1].GetString()}")],
        PreTokenizer = new RegexPreTokenizer(new Regex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"), specialTokens: null),
    });
}

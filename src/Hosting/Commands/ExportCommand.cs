using System.CommandLine;
using System.Globalization;
using System.Text.RegularExpressions;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Generation;
using Streaming.Hosting.Terminal;
using Streaming.Model;
using Streaming.Model.Adapters;
using Streaming.Model.Export;
using Streaming.Model.Safetensors;
using Streaming.Streams.Instructions;
using Streaming.Streams.Tokenization;
using Streaming.Streams.TokenizerTraining;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming export</c>: a model in the forms that other programs take.</summary>
internal static partial class ExportCommand
{
    private static readonly Dictionary<string, TensorType> _types = new() { ["bf16"] = TensorType.BF16, ["fp16"] = TensorType.F16, ["float32"] = TensorType.F32 };

    public static Command Create()
    {
        var model = new Option<string>("--model", "-m") { Description = "Folder of the model: a checkpoint, a run (its newest checkpoint), or any Mistral folder of Transformers.", HelpName = "folder", Required = true };
        var tokenizer = new Option<string?>("--tokenizer", "-t") { Description = "SentencePiece model or tokenizer.json; the folder's where left out.", HelpName = "file" };
        var output = new Option<string>("--output", "-o") { Description = "Folder for Transformers' files, or the .gguf file.", HelpName = "path", Required = true };
        var format = new Option<string?>("--format") { Description = "transformers: config.json, safetensors, tokenizer files; gguf: one file for llama.cpp. Left out, gguf where --output ends in .gguf." };
        var type = new Option<string>("--dtype") { Description = "Type of the weights.", DefaultValueFactory = _ => "bf16" };
        var shard = new Option<string>("--max-shard-size") { Description = "Size of one file of weights at most: 5GB, 500MB.", HelpName = "size", DefaultValueFactory = _ => "5GB" };
        var force = new Option<bool>("--force") { Description = "Replace what is there." };
        format.AcceptOnlyFromAmong("transformers", "gguf");
        type.AcceptOnlyFromAmong([.. _types.Keys]);
        var command = new Command("export", "Write a model for other programs: in bf16 or fp16, in shards, as GGUF. LoRA adapters are merged into their model.") { model, tokenizer, output, format, type, shard, force };
        command.SetAction(parsed =>
        {
            var options = new ExportOptions { Type = _types[parsed.GetRequiredValue(type)], MaxShardBytes = ParseSize(parsed.GetRequiredValue(shard)) };
            var source = ModelFolder.Open(parsed.GetRequiredValue(model), parsed.GetValue(tokenizer));
            var target = Path.GetFullPath(parsed.GetRequiredValue(output));
            try
            {
                using var weights = ModelWeights.Open(source.Config, source.Path);
                var written = (parsed.GetValue(format) ?? (target.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase) ? "gguf" : "transformers")) == "gguf"
                    ? WriteGguf(source, weights, target, options, parsed.GetValue(force), notice => parsed.InvocationConfiguration.Error.WriteLine($"streaming: {notice}"))
                    : WriteFolder(source, weights, target, options, parsed.GetValue(force));
                parsed.InvocationConfiguration.Output.WriteLine(written);
                return ExitCodes.Done;
            }
            catch (ModelException mistake)
            {
                throw new UserErrorException($"--model: {mistake.Message.TrimEnd('.')}.");
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                throw new UserErrorException($"--output: {target} cannot be written: {failure.Message.TrimEnd('.')}.", ExitCodes.Failed);
            }
        });
        return command;
    }

    private static string WriteFolder(ModelFolder source, ModelWeights weights, string target, ExportOptions options, bool replace)
    {
        if (target == source.Path)
            throw new UserErrorException($"--output: {target} is the model itself; name another folder.");
        if (!replace && Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any())
            throw new UserErrorException($"--output: {target} is not empty; name another folder, or replace what is there with --force.");
        Directory.CreateDirectory(target);
        // Shards of an earlier export would be taken along by whoever loads the folder.
        foreach (var old in Directory.EnumerateFiles(target, "model*.safetensors*"))
            File.Delete(old);
        var names = HuggingFaceExport.Write(source.Config, weights, target, options);
        HuggingFaceTokenizerFiles.Write(source.TokenizerPath, target);
        File.Copy(source.TokenizerPath, Path.Combine(target, TextTokenizer.FileNameOf(source.TokenizerPath)), overwrite: true);
        foreach (var (name, content) in InstructionFiles.Make(source.IsTuned ? source.Template : null))
            File.WriteAllBytes(Path.Combine(target, name), content);
        var bytes = names.Sum(name => new FileInfo(Path.Combine(target, name)).Length);
        var merged = AdapterFolder.IsOne(source.Path) ? "the adapters merged into their model, " : "";
        return $"{target}: {merged}{Quantity.Bytes(bytes)} of weights in {names.Count} {(names.Count == 1 ? "file" : "files")}; Transformers loads the folder as it is.";
    }

    private static string WriteGguf(ModelFolder source, ModelWeights weights, string target, ExportOptions options, bool replace, Action<string> notice)
    {
        if (Directory.Exists(target))
            target = Path.Combine(target, source.Name + ".gguf");
        if (!replace && File.Exists(target))
            throw new UserErrorException($"--output: {target} exists; name another file, or replace it with --force.");
        var file = new GgufFile();
        GgufExport.Add(file, source.Name, source.Config, weights, options);
        GgufTokenizer.Add(file, source, notice);
        if (source.Config.SlidingWindow < source.Config.MaxPositions)
            notice($"llama.cpp does not know this model's sliding window of {source.Config.SlidingWindow} tokens: texts longer than that come out otherwise there.");
        var aside = target + ".partial";
        try
        {
            using (var stream = File.Create(aside))
                file.Write(stream);
            File.Move(aside, target, overwrite: true);
        }
        catch
        {
            File.Delete(aside);
            throw;
        }
        return $"{target}: {Quantity.Bytes(new FileInfo(target).Length)}, for llama.cpp.";
    }

    private static long ParseSize(string text)
    {
        var match = SizeForm().Match(text);
        var unit = match.Groups[2].Value.ToUpperInvariant() switch { "KB" => 1_000L, "MB" => 1_000_000L, _ => 1_000_000_000L };
        return match.Success && double.TryParse(match.Groups[1].Value, CultureInfo.InvariantCulture, out var number) && number * unit is >= 1 and < 1e15
            ? (long)(number * unit)
            : throw new UserErrorException($"--max-shard-size must be a size such as 5GB, 500MB or 100KB, was {text}.");
    }

    [GeneratedRegex(@"^(\d+(?:\.\d+)?)(KB|MB|GB)$", RegexOptions.IgnoreCase)]
    private static partial Regex SizeForm();
}

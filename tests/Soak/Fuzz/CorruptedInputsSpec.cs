using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using ICSharpCode.SharpZipLib.BZip2;
using ParquetSharp;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Conversion;
using Streaming.Model;
using Streaming.Model.Adapters;
using Streaming.Model.Checkpoints;
using Streaming.Model.Engines;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;
using Streaming.Model.Safetensors;
using Streaming.Streams;
using Streaming.Streams.Instructions;
using Streaming.Streams.Measurement;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;
using Streaming.Streams.Tokenization;
using Streaming.Streams.TokenizerTraining;
using Streaming.Tests;
using Encoding = System.Text.Encoding;
using File = System.IO.File;

namespace Streaming.Soak.Fuzz;

/// <summary>
/// Every format that is read, damaged by a seeded fuzzer: no crash, no hang, bounded memory, and where it is refused one sentence that
/// names the file. A thousand of each: <c>STREAMING_SOAK_FUZZ=1000 dotnet test tests/Soak --filter CorruptedInputs</c>.
/// </summary>
public sealed class CorruptedInputsSpec : IDisposable
{
    private const long MostMemory = 1L << 30;

    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(5);
    private static readonly string s_samples = Path.Combine(ReferenceData.RepositoryRoot, "samples");

    private readonly string _folder = Directory.CreateTempSubdirectory("fuzz-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("text.txt.xz")]
    [InlineData("text.txt.bz2")]
    [InlineData("text.txt.gz")]
    [InlineData("text.txt.zst")]
    [InlineData("pages.xml")]
    [InlineData("text.jsonl")]
    [InlineData("text.parquet")]
    [InlineData("weights.safetensors")]
    [InlineData("tokenizer.model")]
    [InlineData("tokenizer.json")]
    [InlineData("byte-pairs.json")]
    [InlineData("records.json")]
    [InlineData("adapter_config.json")]
    [InlineData("adapter_model.safetensors")]
    [InlineData("model-config.json")]
    [InlineData("hf_config.json")]
    [InlineData("config.hocon")]
    public void A_damaged_file_is_read_or_refused_by_name_in_time_and_memory(string name)
    {
        var sound = Sound(name);
        var path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, sound);
        if (name.StartsWith("adapter_", StringComparison.Ordinal)) // of two files one is damaged
            foreach (var other in new[] { "adapter_config.json", "adapter_model.safetensors" })
                File.WriteAllBytes(Path.Combine(_folder, other), Sound(other));
        Read(path); // what is not damaged is read
        for (var seed = 0; seed < SoakLength.Fuzz; seed++)
        {
            File.WriteAllBytes(path, Mutations.Damage(sound, seed));
            Check(path, seed, () => Read(path));
        }
    }

    private static readonly MistralConfig s_small = MistralConfig.Load(Path.Combine(ReferenceData.RepositoryRoot, "models", "mistral-sample")) with
    {
        VocabularySize = 64,
        HiddenSize = 16,
        IntermediateSize = 24,
        LayerCount = 1,
        HeadCount = 2,
        KeyValueHeadCount = 1,
        HeadSize = 8,
    };

    [Fact]
    public void A_damaged_checkpoint_is_refused_by_name_with_and_without_its_checksums()
    {
        LibtorchRuntime.Load();
        using var engine = new ReferenceEngine(s_small, new OptimizerOptions(), Devices.Parse("cpu"), Precision.Float32, new RandomWeights(s_small, 1));
        var state = new TrainingState { Step = 3, TokensSeen = 9, Cursor = JsonSerializer.SerializeToElement(new { a = 1 }), Losses = [1f], GradientNorms = [1f] };
        var folder = CheckpointStore.Open(_folder, s_small).Write(EngineSnapshot.Take(engine), state, null, givenUp: TestContext.Current.CancellationToken);
        string[] names = ["model.safetensors", "optimizer.safetensors", "config.json", "state.json", "SHA256SUMS"];
        for (var seed = 0; seed < SoakLength.Fuzz; seed++)
        {
            var path = Path.Combine(folder, names[seed % names.Length]);
            var (sound, sums) = (File.ReadAllBytes(path), File.ReadAllText(Path.Combine(folder, "SHA256SUMS")));
            File.WriteAllBytes(path, Mutations.Damage(sound, seed));
            var isForged = seed / names.Length % 2 == 1 && !path.EndsWith("SUMS", StringComparison.Ordinal);
            if (isForged)
                Forge(folder, Path.GetFileName(path)); // an attacker knows SHA-256 too
            Check(folder, seed, () => Checkpoint.Open(folder).RestoreInto(engine), mustFail: !isForged);
            File.WriteAllBytes(path, sound);
            File.WriteAllText(Path.Combine(folder, "SHA256SUMS"), sums);
        }
        Checkpoint.Open(folder).RestoreInto(engine);
    }

    private static void Check(string path, int seed, Action read, bool mustFail = false)
    {
        ResetPeak();
        var before = Peak();
        var began = Stopwatch.GetTimestamp();
        var work = Task.Factory.StartNew(read, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        Assert.True(((IAsyncResult)work).AsyncWaitHandle.WaitOne(TimeSpan.FromSeconds(60)), $"seed {seed}: hangs");
        var elapsed = Stopwatch.GetElapsedTime(began);
        Assert.True(elapsed < s_longest, $"seed {seed}: took {elapsed}");
        Assert.True(Peak() - before < MostMemory, $"seed {seed}: took {(Peak() - before) >> 20} MiB");
        if (work.Exception?.GetBaseException() is not { } failure)
        {
            Assert.False(mustFail, $"seed {seed}: nothing was noticed");
            return;
        }
        Assert.True(failure is SourceException or InvalidDataException or ModelException or UserErrorException, $"seed {seed}: {failure}");
        Assert.True(failure.Message.Contains(Path.GetFileName(path), StringComparison.Ordinal), $"seed {seed} does not name the file: {failure.Message}");
        if (failure is not UserErrorException)
            Assert.DoesNotContain("\n", failure.Message, StringComparison.Ordinal);
    }

    private static void Read(string path)
    {
        switch (Path.GetFileName(path))
        {
            case "weights.safetensors":
                using (var file = SafetensorsFile.Open(path))
                {
                    foreach (var tensor in file.Tensors)
                        file.Read(tensor.Name, new float[checked((int)tensor.Count)]);
                }
                break;
            case "tokenizer.model" or "tokenizer.json" or "byte-pairs.json":
                TextTokenizer.Load(path).CreateEncoder().Encode("日本の首都は東京です。", new TokenBuffer());
                break;
            case "config.hocon":
                SettingsLoader.Load(path, [], _ => null);
                break;
            case "model-config.json":
                MistralConfig.Load(path);
                break;
            case "hf_config.json":
                Converter.Convert(path, null, new ConvertOptions { OutputFolder = Path.GetDirectoryName(path)! });
                break;
            case "adapter_config.json" or "adapter_model.safetensors":
                using (var adapters = AdapterFolder.Open(Path.GetDirectoryName(path)!, s_small))
                {
                    foreach (var parameter in AdaptedMatrix.ParametersOf(s_small, adapters.Lora))
                        adapters.Read(parameter, new float[parameter.Count]);
                }
                break;
            case "records.json":
                ReadText(path, new InstructionOptions());
                break;
            default:
                ReadText(path);
                break;
        }
    }

    private static void ReadText(string path, InstructionOptions? instructions = null)
    {
        SourceOptions source = path;
        var options = new PipelineOptions { Sources = [source], Tokenizer = "", BlockSize = 8, Rows = 1, Instructions = instructions };
        var files = SourceFiles.Of(source, options, Split.Train);
        var reader = new SourceReader(files, Split.Train, 1, files.StartOf(0), 1 << 16, new LineBatchPool(), new StageStatistics("read"), new SourceStatistics(path));
        foreach (var batch in reader.Read(CancellationToken.None))
            batch.Format.Extract(batch);
    }

    private byte[] Sound(string name)
    {
        var text = File.ReadAllBytes(Path.Combine(s_samples, "corpus-ja.txt"))[..30_000];
        switch (name)
        {
            case "text.txt.xz":
                using (var stream = typeof(CorruptedInputsSpec).Assembly.GetManifestResourceStream("blocks.xz")!)
                using (var bytes = new MemoryStream())
                {
                    stream.CopyTo(bytes);
                    return bytes.ToArray();
                }
            case "text.txt.bz2":
                return Compress(text, target => new BZip2OutputStream(target, 1));
            case "text.txt.gz":
                return Compress(text, target => new GZipStream(target, CompressionLevel.Optimal));
            case "text.txt.zst":
                return Compress(text, target => new ZstdSharp.CompressionStream(target));
            case "pages.xml":
                return Encoding.UTF8.GetBytes("<mediawiki><siteinfo><namespaces><namespace key=\"0\" /></namespaces></siteinfo>" + string.Concat(Enumerable.Range(1, 20).Select(page =>
                    $"<page><title>頁{page}</title><ns>0</ns><id>{page}</id><revision><id>{page}</id><text xml:space=\"preserve\">'''頁'''は[[東京|都]]にある。{{{{型|a=b}}}}\n== 節 ==\n本文の段落がここに続きます。&lt;ref&gt;註&lt;/ref&gt;\n</text></revision></page>\n")) + "</mediawiki>");
            case "text.jsonl":
                return Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 50).Select(line => JsonSerializer.Serialize(new { id = line, text = $"これは{line}番目の文書です。", meta = new { a = new[] { 1, 2 } } }) + "\n")));
            case "text.parquet":
                var path = Path.Combine(_folder, "sound.parquet");
                using (var writer = new ParquetFileWriter(path, [new Column<string>("text")], Compression.Zstd))
                {
                    using (var group = writer.AppendRowGroup())
                    using (var column = group.NextColumn().LogicalWriter<string>())
                        column.WriteBatch([.. Enumerable.Range(0, 300).Select(row => $"これは{row}番目の文書です。")]);
                    writer.Close();
                }
                return File.ReadAllBytes(path);
            case "weights.safetensors":
                using (var bytes = new MemoryStream())
                {
                    var writer = SafetensorsWriter.Begin(bytes, [("a", TensorType.F32, [4L, 8L]), ("b.weight", TensorType.BF16, [16L])]);
                    writer.Write(new float[32]);
                    writer.Write(new float[16]);
                    writer.Complete();
                    return bytes.ToArray();
                }
            case "tokenizer.json":
                return HuggingFaceTokenizerFiles.Make(Path.Combine(s_samples, "tokenizer.model")).Single(file => file.Name == "tokenizer.json").Bytes;
            case "byte-pairs.json":
                return """
                    {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [{"id": 0, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
                     "normalizer": {"type": "NFC"},
                     "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                        {"type": "Split", "pattern": {"Regex": "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}, "behavior": "Isolated", "invert": false},
                        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]},
                     "post_processor": null, "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
                     "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                        "vocab": {"<s>": 0, "æ": 1, "Ĺ": 2, "¥": 3, "ã": 4, "ģ": 5, "®": 6, "æĹ": 7, "æĹ¥": 8}, "merges": [["æ", "Ĺ"], ["æĹ", "¥"]]}}
                    """u8.ToArray();
            case "records.json":
                return JsonSerializer.SerializeToUtf8Bytes(Enumerable.Range(0, 40).Select(index => new { instruction = $"{index}番目の質問です。", input = index % 3 == 0 ? "入力" : "", output = $"答えは{index}です。", category = "qa" }));
            case "adapter_config.json":
                return """{"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj", "up_proj"], "base_model_name_or_path": "base", "bias": "none"}"""u8.ToArray();
            case "adapter_model.safetensors":
                using (var bytes = new MemoryStream())
                {
                    var parameters = AdaptedMatrix.ParametersOf(s_small, new LoraOptions { Rank = 2, Alpha = 4, TargetModules = ["q_proj", "up_proj"] });
                    var writer = SafetensorsWriter.Begin(bytes, parameters.Select(parameter => (parameter.Name, TensorType.F32, parameter.Shape)));
                    foreach (var parameter in parameters)
                        writer.Write(new float[parameter.Count]);
                    writer.Complete();
                    return bytes.ToArray();
                }
            case "model-config.json":
                return File.ReadAllBytes(Path.Combine(ReferenceData.RepositoryRoot, "models", "mistral-300m", "config.json"));
            case "hf_config.json":
                return """
                    {"model_type": "mistral", "config_name": "model", "tokenizer_name": "tokenizer", "train_file": "text.txt", "output_dir": "out", "do_train": true, "block_size": 1024, "learning_rate": 6e-4,
                     "per_device_train_batch_size": 4, "gradient_accumulation_steps": 64, "num_train_epochs": 1, "lr_scheduler_type": "cosine", "warmup_steps": 1000, "bf16": true, "adam_beta2": 0.95, "weight_decay": 0.1}
                    """u8.ToArray();
            case "tokenizer.model":
                return File.ReadAllBytes(Path.Combine(s_samples, "tokenizer.model"));
            default:
                return File.ReadAllBytes(Path.Combine(ReferenceData.RepositoryRoot, "config.hocon"));
        }
    }

    private static byte[] Compress(byte[] text, Func<Stream, Stream> compressor)
    {
        var bytes = new MemoryStream();
        using (var stream = compressor(bytes))
            stream.Write(text);
        return bytes.ToArray();
    }

    private static void Forge(string folder, string name)
    {
        var path = Path.Combine(folder, "SHA256SUMS");
        var bytes = File.ReadAllBytes(Path.Combine(folder, name));
        File.WriteAllLines(path, File.ReadAllLines(path).Select(line =>
            line.EndsWith($" {name}", StringComparison.Ordinal)
                ? line[0] == '#' ? string.Create(CultureInfo.InvariantCulture, $"# {bytes.Length} {name}") : $"{Convert.ToHexStringLower(SHA256.HashData(bytes))}  {name}"
                : line));
    }

    private static void ResetPeak()
    {
        if (File.Exists("/proc/self/clear_refs"))
            File.WriteAllText("/proc/self/clear_refs", "5");
    }

    /// <summary>The most memory of the process since <see cref="ResetPeak"/>.</summary>
    private static long Peak() =>
        long.Parse(File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
}

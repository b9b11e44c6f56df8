using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using ICSharpCode.SharpZipLib.BZip2;
using ParquetSharp;
using Streaming.Hosting.Configuration;
using Streaming.Model;
using Streaming.Model.Checkpoints;
using Streaming.Model.Engines;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;
using Streaming.Model.Safetensors;
using Streaming.Streams;
using Streaming.Streams.Measurement;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;
using Streaming.Streams.Tokenization;
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
    [InlineData("config.hocon")]
    public void A_damaged_file_is_read_or_refused_by_name_in_time_and_memory(string name)
    {
        var sound = Sound(name);
        var path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, sound);
        Read(path); // what is not damaged is read
        for (var seed = 0; seed < SoakLength.Fuzz; seed++)
        {
            File.WriteAllBytes(path, Mutations.Damage(sound, seed));
            Check(path, seed, () => Read(path));
        }
    }

    [Fact]
    public void A_damaged_checkpoint_is_refused_by_name_with_and_without_its_checksums()
    {
        LibtorchRuntime.Load();
        var model = MistralConfig.Load(Path.Combine(ReferenceData.RepositoryRoot, "models", "mistral-sample")) with
        {
            VocabularySize = 64,
            HiddenSize = 16,
            IntermediateSize = 24,
            LayerCount = 1,
            HeadCount = 2,
            KeyValueHeadCount = 1,
            HeadSize = 8,
        };
        using var engine = new ReferenceEngine(model, new OptimizerOptions(), Devices.Parse("cpu"), Precision.Float32, new RandomWeights(model, 1));
        var state = new TrainingState { Step = 3, TokensSeen = 9, Cursor = JsonSerializer.SerializeToElement(new { a = 1 }), Losses = [1f], GradientNorms = [1f] };
        var folder = CheckpointStore.Open(_folder, model).Write(EngineSnapshot.Take(engine), state, null);
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
            case "tokenizer.model":
                TextTokenizer.Load(path).CreateEncoder().Encode("日本の首都は東京です。", new TokenBuffer());
                break;
            case "config.hocon":
                SettingsLoader.Load(path, [], _ => null);
                break;
            default:
                ReadText(path);
                break;
        }
    }

    private static void ReadText(string path)
    {
        SourceOptions source = path;
        var options = new PipelineOptions { Sources = [source], Tokenizer = "", BlockSize = 8, Rows = 1 };
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

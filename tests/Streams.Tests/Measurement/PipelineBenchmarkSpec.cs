using System.Text.Json;
using Streaming.Streams.Measurement;

namespace Streaming.Streams.Tests.Measurement;

public sealed class PipelineBenchmarkSpec(StreamFixture streams) : IClassFixture<StreamFixture>, IDisposable
{
    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task Every_stage_and_the_whole_path_are_measured_over_the_same_text()
    {
        var text = string.Concat(Enumerable.Range(0, 20_000).Select(i => $"{i}匹の猫と犬。\n{(i % 10 == 9 ? "\n" : "")}"));
        var path = _files.Write("text", text);
        File.WriteAllBytes(Path.Combine(_files.Folder, "model"), TestTokenizer.Model);
        var options = new PipelineOptions
        {
            Sources = [path],
            Tokenizer = Path.Combine(_files.Folder, "model"),
            BlockSize = 32,
            Rows = 4,
            ValidationFraction = 0,
        };
        var measured = await PipelineBenchmark.Run(options, streams.Materializer, [1, ProcessorCores.Available], cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(["read", "extract", "split", "normalize", "tokenize", "pack", "mix"], measured.Stages.Select(stage => stage.Name));
        Assert.All(measured.Stages, stage => Assert.Equal(new FileInfo(path).Length, stage.Bytes));
        Assert.All(measured.Stages, stage => Assert.True(stage.MegabytesPerSecond > 0 && stage.TokensPerSecond > 0));
        Assert.Equal([1, ProcessorCores.Available], measured.Whole.Select(whole => whole.Cores));
        Assert.All(measured.Whole, whole =>
        {
            Assert.Equal(new FileInfo(path).Length, whole.Bytes);
            Assert.InRange(measured.Stages[0].Tokens - whole.Tokens, 0, 4 * 32 - 1);
            Assert.Equal(22_000, whole.Lines);
            Assert.True(whole.PeakWorkingSetBytes > 0);
        });
        // Of what one core can give; the process's other threads count too, and clocks tick.
        Assert.InRange(measured.Whole[0].ProcessorTime / measured.Whole[0].Elapsed, 0, 1.25);
        Assert.Equal(measured.Whole[0].Tokens, JsonDocument.Parse(measured.ToJson()).RootElement.GetProperty("whole")[0].GetProperty("tokens").GetInt64());
        Assert.Equal(13, measured.ToLines().Count());
        Assert.Equal(ProcessorCores.Available, Environment.ProcessorCount);
    }

    [Fact]
    public async Task A_short_text_is_read_again_until_so_much_is_measured()
    {
        var path = _files.Write("text", string.Concat(Enumerable.Repeat("猫と犬。\n\n", 1000)));
        File.WriteAllBytes(Path.Combine(_files.Folder, "model"), TestTokenizer.Model);
        var options = new PipelineOptions { Sources = [path], Tokenizer = Path.Combine(_files.Folder, "model"), BlockSize = 32, Rows = 4, ValidationFraction = 0 };
        var part = await PipelineBenchmark.Run(options, streams.Materializer, [1], longest: 1 << 17, TestContext.Current.CancellationToken);
        Assert.InRange(part.Stages[0].Bytes, 1 << 17, 3 << 16);
    }
}

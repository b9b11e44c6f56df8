using System.Text.Json;
using ParquetSharp;
using Streaming.Streams.Batches;
using Streaming.Streams.Compression;
using Streaming.Streams.Sources.Http;
using Streaming.Streams.Tests.Sources.Http;

namespace Streaming.Streams.Tests.Batches;

/// <summary>Files that are long enough to be entered in the middle.</summary>
public sealed class DeepResumeSpec(StreamFixture streams) : IClassFixture<StreamFixture>, IDisposable
{
    private static readonly string[] Texts = [.. Enumerable.Range(0, 12_000).Select(row => $"{row * 7919 % 1_000_003}匹の猫と{row}匹の犬がいて、名前はまだない。")];

    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData("lines.bz2", false)]
    [InlineData("lines.bz2", true)]
    [InlineData("records.jsonl.xz", false)]
    [InlineData("records.jsonl.bz2", false)]
    [InlineData("rows.parquet", false)]
    [InlineData("rows.parquet", true)]
    public async Task A_stream_resumed_deep_in_a_file_is_what_the_uninterrupted_one_would_have_been(string name, bool shuffles) =>
        await AssertResumes(Write(name), name.EndsWith("bz2"), shuffles);

    [Fact]
    public async Task A_remote_archive_is_entered_in_the_middle()
    {
        using var server = new HostileServer(File.ReadAllBytes(Write("lines.bz2")), (number, _) => new Answer { DropAfter = number % 2 == 0 ? 100_000 : int.MaxValue });
        var near = await AssertResumes(server.Address, hasSeekPoints: true, shuffles: false);
        Assert.Contains(server.Requests, request => request.RangeStart == near.CompressedBit / 8);
    }

    private async Task<SeekPoint> AssertResumes(string path, bool hasSeekPoints, bool shuffles)
    {
        var options = new PipelineOptions
        {
            Sources = [path],
            Tokenizer = "",
            BlockSize = 512,
            Rows = 8,
            ValidationFraction = 0.05,
            Http = new HttpOptions { FirstDelay = TimeSpan.FromMilliseconds(1) },
            Shuffle = shuffles ? new ShuffleOptions { Documents = 500, Bytes = 1 << 20, Seed = 3 } : null,
        };
        var whole = await streams.Take(options);
        var cut = whole.Count - 6;
        var cursor = JsonSerializer.Deserialize<PipelineCursor>(JsonSerializer.Serialize(whole[cut].Cursor))!;
        Assert.Equal(hasSeekPoints, cursor.Sources[0].Place.Position.Near.Offset > 400_000);
        var resumed = await streams.Take(options with { Workers = 1 }, cursor: cursor);
        Assert.Equal(5, resumed.Count);
        foreach (var (expected, found) in whole.Skip(cut + 1).Zip(resumed))
        {
            Assert.Equal(expected.Tokens, found.Tokens);
            Assert.Equal(expected.Cursor, found.Cursor);
        }
        return cursor.Sources[0].Place.Position.Near;
    }

    private string Write(string name)
    {
        if (name.EndsWith("parquet"))
            return WriteParquet(Path.Combine(_files.Folder, name));
        var lines = name.Contains("jsonl") ? Texts.Select(text => JsonSerializer.Serialize(new { text })) : Texts.Select(text => text + "\n");
        return _files.Write(name, System.Text.Encoding.UTF8.GetBytes(string.Join('\n', lines)), name.EndsWith("xz") ? CompressionFormat.Xz : CompressionFormat.Bzip2);
    }

    private static string WriteParquet(string path)
    {
        using var writer = new ParquetFileWriter(path, [new Column<string>("text")]);
        foreach (var rows in Texts.Chunk(5000))
        {
            using var group = writer.AppendRowGroup();
            using var column = group.NextColumn().LogicalWriter<string>();
            column.WriteBatch(rows);
        }
        writer.Close();
        return path;
    }
}

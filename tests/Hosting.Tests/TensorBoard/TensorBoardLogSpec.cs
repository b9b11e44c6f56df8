using System.Buffers.Binary;
using Google.Protobuf;
using Streaming.Actors;
using Streaming.Hosting.TensorBoard;

namespace Streaming.Hosting.Tests.TensorBoard;

public sealed class TensorBoardLogSpec : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tensorboard-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("", 0xa282ead8u)] // the mask of an empty checksum
    [InlineData("123456789", 0xe3069283u)] // the check value of CRC-32C, before the mask
    public void Checksums_are_CRC_32C_behind_TFRecords_mask(string text, uint expected)
    {
        var masked = EventFile.MaskedChecksum(System.Text.Encoding.ASCII.GetBytes(text));
        Assert.Equal(expected, text.Length == 0 ? masked : System.Numerics.BitOperations.RotateLeft(masked - 0xa282ead8u, 15));
    }

    [Fact]
    public void A_reader_of_protobuf_finds_every_scalar_text_and_restart()
    {
        using (var log = new TensorBoardLog(loggingSteps: 10, TimeProvider.System))
        {
            log.Observe(new RunProtocol.Started(_folder, "reference", 1000, 0, 0, 100, null));
            for (var step = 1; step <= 20; step++)
                log.Observe(new TrainerProtocol.StepCompleted(step, 5f - step / 10f, 0.5f, 1e-3, 64, 64 * step, TimeSpan.FromSeconds(0.5), TimeSpan.Zero, 3, Skipped: false));
            log.Observe(new TrainerProtocol.EvaluationCompleted(20, 3.25, 4, TimeSpan.FromSeconds(1)));
            log.Observe(new TrainerProtocol.SampleGenerated(20, "猫", "猫は庭にいる。"));
            log.Observe(new RunProtocol.Started(_folder, "reference", 1000, 10, 640, 100, "checkpoint"));
        }
        var events = ReadFile(Assert.Single(Directory.GetFiles(Path.Combine(_folder, "tensorboard"), "events.out.tfevents.*"))).ToList();
        Assert.Equal("brain.Event:2", events[0].Version);
        var scalars = events.SelectMany(e => e.Values.Select(value => (e.Step, value.Tag, value.Number))).Where(value => value.Number is not null).ToList();
        Assert.Equal([1, 10, 20], scalars.Where(value => value.Tag == "train/loss").Select(value => value.Step));
        Assert.Equal(4f, scalars.Single(value => value is { Tag: "train/loss", Step: 10 }).Number);
        Assert.Equal(3.25f, scalars.Single(value => value.Tag == "eval/loss").Number);
        Assert.Equal("猫は庭にいる。", events.SelectMany(e => e.Values).Single(value => value.Text is not null).Text);
        Assert.Equal([1, 11], events.Where(e => e.Begins).Select(e => e.Step)); // TensorBoard forgets what lies beyond
        Assert.All(events, e => Assert.InRange(e.WallTime, 1.7e9, 9e9));
    }

    private sealed record Value(string Tag, float? Number, string? Text);

    private sealed record Event(double WallTime, long Step, string? Version, bool Begins, List<Value> Values);

    /// <summary>Google's reader of the wire format, TensorFlow's field numbers.</summary>
    private static IEnumerable<Event> ReadFile(string path)
    {
        var bytes = File.ReadAllBytes(path).AsMemory();
        while (!bytes.IsEmpty)
        {
            var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes.Span);
            Assert.Equal(EventFile.MaskedChecksum(bytes.Span[..8]), BinaryPrimitives.ReadUInt32LittleEndian(bytes.Span[8..]));
            var data = bytes.Slice(12, length);
            Assert.Equal(EventFile.MaskedChecksum(data.Span), BinaryPrimitives.ReadUInt32LittleEndian(bytes.Span[(12 + length)..]));
            bytes = bytes[(16 + length)..];
            yield return ReadEvent(new CodedInputStream(data.ToArray()));
        }
    }

    private static Event ReadEvent(CodedInputStream input)
    {
        var result = new Event(0, 0, null, false, []);
        while (input.ReadTag() is var tag and > 0)
        {
            switch (tag >> 3)
            {
                case 1: result = result with { WallTime = input.ReadDouble() }; break;
                case 2: result = result with { Step = input.ReadInt64() }; break;
                case 3: result = result with { Version = input.ReadString() }; break;
                case 5: ReadSummary(new CodedInputStream(input.ReadBytes().ToByteArray()), result.Values); break;
                case 7: result = result with { Begins = input.ReadBytes().Span.SequenceEqual((ReadOnlySpan<byte>)[8, 1]) }; break;
                default: Assert.Fail($"unknown field {tag >> 3}"); break;
            }
        }
        return result;
    }

    private static void ReadSummary(CodedInputStream summary, List<Value> values)
    {
        while (summary.ReadTag() is var tag and > 0)
        {
            Assert.Equal(1u, tag >> 3);
            var input = new CodedInputStream(summary.ReadBytes().ToByteArray());
            var value = new Value("", null, null);
            while (input.ReadTag() is var inner and > 0)
            {
                switch (inner >> 3)
                {
                    case 1: value = value with { Tag = input.ReadString() }; break;
                    case 2: value = value with { Number = input.ReadFloat() }; break;
                    case 8: value = value with { Text = ReadTensor(new CodedInputStream(input.ReadBytes().ToByteArray())) }; break;
                    case 9: input.ReadBytes(); break;
                    default: Assert.Fail($"unknown field {inner >> 3}"); break;
                }
            }
            values.Add(value);
        }
    }

    private static string? ReadTensor(CodedInputStream input)
    {
        string? text = null;
        while (input.ReadTag() is var tag and > 0)
        {
            if (tag >> 3 == 8) text = input.ReadString();
            else input.SkipLastField();
        }
        return text;
    }
}

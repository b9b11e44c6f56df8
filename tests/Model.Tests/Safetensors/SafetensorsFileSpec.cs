using System.Buffers.Binary;
using System.Text;
using CsCheck;
using Streaming.Model.Safetensors;

namespace Streaming.Model.Tests.Safetensors;

public sealed class SafetensorsFileSpec : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    private void WriteRaw(string header, int dataBytes, ulong? claimed = null)
    {
        var json = Encoding.UTF8.GetBytes(header);
        var image = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(image, claimed ?? (ulong)json.Length);
        json.CopyTo(image, 8);
        File.WriteAllBytes(_path, image);
    }

    private string Refusal()
    {
        var message = Assert.Throws<SafetensorsException>(() => SafetensorsFile.Open(_path).Dispose()).Message;
        Assert.StartsWith(_path, message);
        Assert.DoesNotContain('\n', message);
        return message;
    }

    [Fact]
    public void What_Transformers_wrote_is_read()
    {
        using var tiny = new TinyReference();
        using var file = SafetensorsFile.Open(Path.Combine(tiny.Folder, "model.safetensors"));

        Assert.Equal("pt", file.Metadata["format"]);
        Assert.Equal(21, file.Tensors.Count);
        Assert.Equal([320L, 64L], file["lm_head.weight"].Shape);
        Assert.Equal([1L, 5L], tiny.Expected["prompt"].Shape);
        Assert.Null(file.Find("nothing"));
        Assert.Contains("holds no tensor 'nothing'", Assert.Throws<SafetensorsException>(() => file["nothing"]).Message);
    }

    [Theory, InlineData("F32", 4), InlineData("BF16", 2), InlineData("F16", 2), InlineData("F64", 8)]
    public void A_large_tensor_is_read_by_all_cores_and_leaves_no_pages_behind(string type, int size)
    {
        const int count = 5_000_003;
        WriteRaw($$$"""{"large":{"dtype":"{{{type}}}","shape":[{{{count}}}],"data_offsets":[0,{{{(long)count * size}}}]}}""", count * size);
        using (var stream = File.OpenWrite(_path))
            foreach (var place in new[] { 1, 1 << 20, count - 1 })
            {
                stream.Position = stream.Length - (count - place) * size;
                stream.Write(type switch
                {
                    "F32" => BitConverter.GetBytes((float)place % 100),
                    "F64" => BitConverter.GetBytes((double)place % 100),
                    "F16" => BitConverter.GetBytes((Half)(place % 100)),
                    _ => BitConverter.GetBytes(Elements.ToBFloat16(place % 100)),
                });
            }
        using var file = SafetensorsFile.Open(_path);
        for (var time = 0; time < 2; time++) // pages come back
        {
            var values = file.ReadFloats("large");
            Assert.Equal([(1, 1f), (1 << 20, 76f), (count - 1, 2f)], values.Index().Where(value => value.Item != 0));
            Assert.InRange(ResidentKibibytes(), 4, 4096); // the header's page is among them, and comes with up to 2 MiB around it
        }
        Assert.Equal([76f, 0f], Slice(file, 1 << 20, 2));

        static float[] Slice(SafetensorsFile file, long first, int length)
        {
            var values = new float[length];
            file.Read("large", first, values);
            return values;
        }
    }

    // Of the file's mapping in this process.
    private int ResidentKibibytes()
    {
        var lines = File.ReadAllLines("/proc/self/smaps");
        var mapping = Array.FindIndex(lines, line => line.EndsWith(_path, StringComparison.Ordinal));
        var resident = Array.Find(lines[mapping..], line => line.StartsWith("Rss:", StringComparison.Ordinal))!;
        return int.Parse(resident.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);
    }

    [Fact]
    public void What_was_written_is_read_back_in_every_type()
    {
        float[] values = [0, -1.5f, 3.14159274f, 65504, 1e-30f, float.PositiveInfinity];
        using (var stream = File.Create(_path))
        {
            var writer = SafetensorsWriter.Begin(stream,
            [
                ("wide", TensorType.F32, [2, 3]), ("brain", TensorType.BF16, [6]), ("half", TensorType.F16, [3, 2]),
                ("whole", TensorType.I64, [2]), ("none", TensorType.F32, [0, 4]), ("single", TensorType.F32, []),
            ], new Dictionary<string, string> { ["note"] = "\"日本語\"" });
            for (var i = 0; i < 3; i++)
                writer.Write(values);
            writer.Write([long.MinValue, 7]);
            writer.Write(Array.Empty<float>());
            writer.Write([42f]);
            writer.Complete();
        }

        using var file = SafetensorsFile.Open(_path);

        Assert.Equal(values, file.ReadFloats("wide"));
        Assert.Equal([0, -1.5f, 3.140625f, 65536, 9.98402083e-31f, float.PositiveInfinity], file.ReadFloats("brain"));
        Assert.Equal([0, -1.5f, 3.140625f, 65504, 0, float.PositiveInfinity], file.ReadFloats("half"));
        Assert.Equal([long.MinValue, 7], file.ReadIntegers("whole"));
        Assert.Empty(file.ReadFloats("none"));
        Assert.Equal([42f], file.ReadFloats("single"));
        Assert.Equal("\"日本語\"", file.Metadata["note"]);
        var header = BinaryPrimitives.ReadInt64LittleEndian(File.ReadAllBytes(_path));
        Assert.Equal(0, header % 8); // so that the data is aligned
    }

    [Fact]
    public void Every_bf16_survives_the_way_through_float32() => Gen.UShort.Sample(bits =>
    {
        var value = Elements.FromBFloat16(bits);
        return float.IsNaN(value) ? float.IsNaN(Elements.FromBFloat16(Elements.ToBFloat16(value))) : Elements.ToBFloat16(value) == bits;
    });

    [Fact]
    public void Rounding_to_bf16_takes_the_nearest_and_even_on_a_tie()
    {
        Assert.Equal(0x3F80, Elements.ToBFloat16(1.00390625f)); // half way from 1 to the next, 1 is even
        Assert.Equal(0x3F82, Elements.ToBFloat16(1.01171875f)); // half way between two, the upper is even
        Assert.Equal(0x3F81, Elements.ToBFloat16(1.00390637f)); // just above half way
        Assert.Equal(0x7F80, Elements.ToBFloat16(float.MaxValue));
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,20]}}""", 20, "does not have the 20 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,16]}}""", 16, "does not have the 16 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", 4, "whole numbers of at least 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}""", 4, "whole numbers of at least 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", 4, "ends (0) before it begins (4)")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}""", 6, "inside the one before it")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}""", 12, "after a hole")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 4, "the file is cut short")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 12, "has 12 bytes of data, its header describes 4")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "names 'a' twice")]
    [InlineData("""{"a":{"dtype":"Q4","shape":[1],"data_offsets":[0,4]}}""", 4, "unknown dtype 'Q4'")]
    [InlineData("""{"a":{"dtype":"11","shape":[1],"data_offsets":[0,4]}}""", 4, "unknown dtype '11'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}""", 4, "unknown key 'x'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1]}}""", 4, "needs dtype, shape and two data_offsets")]
    [InlineData("""{"a":[]}""", 0, "not described by an object")]
    [InlineData("""{"__metadata__":{"a":1}}""", 0, "'a' is not a text")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}""", 4, "not valid JSON")]
    [InlineData("""{} {}""", 0, "not valid JSON")]
    [InlineData("""{"\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, "not valid JSON")]
    [InlineData("""[1]""", 0, "not a JSON object")]
    [InlineData("", 0, "not a JSON object")]
    public void A_hostile_header_is_refused_with_one_sentence(string header, int dataBytes, string reason)
    {
        WriteRaw(header, dataBytes);
        Assert.Contains(reason, Refusal());
    }

    [Fact]
    public void A_header_that_nests_too_deeply_is_refused()
    {
        WriteRaw("{\"a\":" + new string('[', 100_000), 0);
        Assert.Contains("not described by an object", Refusal());
    }

    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData(1UL << 40)]
    [InlineData(3UL)]
    public void A_header_longer_than_the_file_is_refused(ulong claimed)
    {
        WriteRaw("{}", 0, claimed);
        Assert.Contains($"claims {claimed} bytes, the file has 10", Refusal());
    }

    [Fact]
    public void A_huge_header_is_refused_without_reading_it()
    {
        using (var file = File.Create(_path))
            file.SetLength(1L << 32); // sparse: takes no room on the disk
        using (var file = File.OpenWrite(_path))
            file.Write(BitConverter.GetBytes((1UL << 32) - 8));
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("more than 16777216", Refusal());
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1 << 20);
    }

    [Fact]
    public void A_short_or_missing_file_is_refused()
    {
        File.WriteAllBytes(_path, [1, 2, 3]);
        Assert.Contains("has 3 bytes", Refusal());
        File.Delete(_path);
        Assert.Contains("cannot be read", Refusal());
    }

    [Fact]
    public void A_random_change_of_a_file_is_read_or_refused_but_never_anything_else()
    {
        using var tiny = new TinyReference();
        var original = File.ReadAllBytes(Path.Combine(tiny.Folder, "model.safetensors")).AsSpan(0, 8 + 2136 + 5000).ToArray();
        Gen.Select(Gen.Int[0, 2200], Gen.Byte).Array[1, 4].Sample(changes =>
        {
            var image = original.ToArray();
            foreach (var (at, value) in changes)
                image[at] = value;
            File.WriteAllBytes(_path, image);
            try
            {
                using var file = SafetensorsFile.Open(_path);
                return false; // it is cut short, whatever was changed
            }
            catch (SafetensorsException exception)
            {
                return exception.Message.StartsWith(_path, StringComparison.Ordinal);
            }
        }, iter: 300, threads: 1);
    }
}

using Streaming.Model.Fused;
using Streaming.Model.Generation;
using Streaming.Model.Generation.Cuda;
using Streaming.Model.Generation.Host;
using Streaming.Model.Parameters;
using Streaming.Model.Tests.Fused;
using Streaming.Model.Tests.Fused.Emulation;

namespace Streaming.Model.Tests.Generation;

/// <summary>The GPU decoder's kernels, on the CPU, beside the decoder for processors with the same weights.</summary>
public sealed class DecoderPassesSpec
{
    private const int Context = 320, Slots = 20, Tokens = 64;

    // Inputs of products, keys and values are rounded to bf16 (2^-9 of each), over two layers.
    private const double Tolerance = 0.015;

    /// <summary>Heads of eight lanes and of a whole warp; two and eight queries a key; rows of one chunk and of two; a window.</summary>
    public static TheoryData<int, int, int, int, int, int?> Shapes => new()
    {
        { 64, 72, 4, 2, 64, null },
        { 40, 2056, 8, 1, 256, 9 },
    };

    [Theory, MemberData(nameof(Shapes))]
    public void Passes_of_every_size_score_as_the_processors_decoder_does(int hidden, int intermediate, int heads, int keyHeads, int headSize, int? window)
    {
        using var bench = new Bench(hidden, intermediate, heads, keyHeads, headSize, window);
        // Prompts of several texts; then steps of 1, 2, 4 and 8 texts, some of them filled up; then one of many.
        bench.Check([(0, 21), (1, 3), (2, 1)]);
        bench.Check([(1, 1)]);
        bench.Check([(2, 1), (0, 1)]);
        bench.Check([(0, 1), (3, 1), (1, 1)]);
        bench.Check([(5, 1), (4, 1), (0, 1), (1, 1), (2, 1)]);
        bench.Check([(4, 7)]);
        for (var i = 0; i < 4; i++) bench.Check([(6, 61)]);
        bench.Check([(6, 1), (2, 1)]);
        bench.Check([.. Enumerable.Range(0, 11).Select(slot => (slot, 1))]);
    }

    [Fact]
    public void The_most_probable_token_is_the_lowest_of_the_highest()
    {
        using var bench = new Bench(64, 72, 4, 2, 16, null);
        var padded = bench.Shape.VocabularyPadded;
        var logits = new float[2 * padded];
        Array.Fill(logits, -3);
        (logits[17], logits[90], logits[padded + 96]) = (2, 2, -2.5f);
        logits[97] = 9; // padding, which is no token

        Assert.Equal([17, 96], bench.Choose(logits, 2));
    }

    [Fact]
    public void A_copied_slot_scores_as_its_source()
    {
        using var bench = new Bench(64, 72, 4, 2, 16, null);
        bench.Check([(3, 19)]);

        bench.Copy(3, 7);

        bench.Check([(7, 1), (3, 1)]);
    }

    /// <summary>Both decoders with the same texts in their slots.</summary>
    private sealed class Bench : IDisposable
    {
        private readonly BenchDevice _device;
        private readonly List<BenchDevice> _devices = [];
        private readonly DecoderBuffers _buffers;
        private readonly DecoderPasses _passes;
        private readonly HostDecoder _expected;
        private readonly Random _random = new(5);

        public Bench(int hidden, int intermediate, int heads, int keyHeads, int headSize, int? window)
        {
            var config = new MistralConfig
            {
                VocabularySize = 97,
                HiddenSize = hidden,
                IntermediateSize = intermediate,
                HeadCount = heads,
                KeyValueHeadCount = keyHeads,
                HeadSize = headSize,
                LayerCount = 2,
                MaxPositions = 512,
                SlidingWindow = window,
                InitializerRange = 0.6 / Math.Sqrt(hidden),
            };
            Shape = DecoderKernels.ShapeOf(config);
            var layout = new ParameterLayout(Shape);
            foreach (var tokens in DecoderKernels.FewTokens)
                _devices.Add(new BenchDevice(EmulatedDevice.Compile(DecoderKernels.Text, DecoderKernels.Macros(Shape, tokens))));
            _device = _devices[0];
            _buffers = new DecoderBuffers(_device, Shape, layout, Slots, Context, Tokens, logitRows: 64);
            _passes = new DecoderPasses(Shape, layout, _buffers, _device, _devices, new HostForwardProducts(_device));
            var weights = new RoundedWeights(new RandomWeights(config, 3));
            using (var prepared = new PreparedWeights(config, weights)) Upload(prepared);
            _expected = HostDecoder.Copy(config, weights, Slots, Context, threads: 1);
        }

        public FusedShape Shape { get; }

        /// <summary>Extends slots by random tokens on both sides and compares the logits behind each.</summary>
        public void Check((int Slot, int Count)[] parts)
        {
            var tokens = new int[parts.Sum(part => part.Count)];
            for (var i = 0; i < tokens.Length; i++) tokens[i] = _random.Next(Shape.Vocabulary);
            var expected = new float[parts.Length * Shape.Vocabulary];
            var rows = Rows(parts, tokens);
            _expected.Forward([.. parts.Select(part => new DecoderPart(part.Slot, part.Count))], tokens, LogitRows.Last, expected);

            _device.Upload<int>(_buffers.Rows, rows);
            _passes.Extend(rows.Length / DecoderBuffers.RowIntegers);
            _passes.Classify(DecoderPasses.SizeFor(parts.Length));
            var padded = new float[parts.Length * Shape.VocabularyPadded];
            _device.Download<float>(padded, _buffers.Logits);

            var actual = padded.Where((_, i) => i % Shape.VocabularyPadded < Shape.Vocabulary).ToArray();
            Assert.InRange(Closeness.RelativeError(actual, expected), 0, Tolerance);
        }

        public void Copy(int from, int to)
        {
            _passes.Copy(from, to, _expected.Length(from));
            _expected.Copy([new SlotCopy(from, to)]);
        }

        public int[] Choose(float[] logits, int rows)
        {
            _device.Upload<float>(_buffers.Logits, logits);
            _passes.Choose(rows);
            var best = new int[rows];
            _device.Download<int>(best, _buffers.Best);
            return best;
        }

        private int[] Rows((int Slot, int Count)[] parts, int[] tokens)
        {
            var size = DecoderPasses.SizeFor(tokens.Length);
            var rows = new int[size * DecoderBuffers.RowIntegers];
            for (var i = tokens.Length; i < size; i++) rows[4 * i + 1] = Slots;
            var (token, part) = (0, 0);
            foreach (var (slot, count) in parts)
            {
                for (var i = 0; i < count; i++, token++)
                    (rows[4 * token], rows[4 * token + 1], rows[4 * token + 2]) = (tokens[token], slot, _expected.Length(slot) + i);
                rows[4 * part++ + 3] = token - 1;
            }
            return rows;
        }

        private unsafe void Upload(PreparedWeights prepared) =>
            _device.Upload<ushort>(_buffers.Weights, new ReadOnlySpan<ushort>((void*)prepared.Wait().High, (int)prepared.Count));

        public void Dispose()
        {
            _expected.Dispose();
            foreach (var device in _devices) device.Dispose();
        }
    }

    /// <summary>Weights that bf16 holds exactly.</summary>
    private sealed class RoundedWeights(IWeightSource source) : IWeightSource
    {
        public void Read(ModelParameter parameter, Span<float> destination)
        {
            source.Read(parameter, destination);
            foreach (ref var value in destination) value = (float)Bf16.ToDouble(Bf16.Nearest(value));
        }
    }
}

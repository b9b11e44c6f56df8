using Streaming.Model.Engines;
using Streaming.Model.Fused;
using Streaming.Model.Libtorch;
using Streaming.Model.Optimizers;
using Streaming.Model.Parameters;
using Streaming.Model.Reference;
using static TorchSharp.torch;

namespace Streaming.Model.Tests.Fused;

/// <summary>The whole optimiser step, kernel after kernel on the flat buffers, beside the reference engine's.</summary>
public sealed class FusedOptimizerSpec
{
    private const int Steps = 4;
    private const double Rate = 1e-3;

    private static readonly string[] Optimizers = [.. Enum.GetNames<OptimizerKind>()];

    /// <summary>Every device in either 16-bit type with every optimiser.</summary>
    public static MatrixTheoryData<string, string> Cases => new(KernelDevices.NamesOfFormats, Optimizers);

    [Theory, MemberData(nameof(Cases))]
    public void Steps_are_those_of_the_reference_engines_optimiser(string device, string optimizer)
    {
        var kind = Enum.Parse<OptimizerKind>(optimizer);
        foreach (var decay in kind == OptimizerKind.AdamW ? new[] { DecayTarget.All, DecayTarget.Matrices } : [DecayTarget.Matrices])
        {
            var options = new OptimizerOptions { Kind = kind, Decay = decay };
            using var bench = new KernelBench(device);
            var fused = new Machine(bench, TestShapes.Named("tiny"), options);
            using var reference = new ReferenceOptimizer(fused, options);
            for (var step = 1; step <= Steps; step++)
            {
                // Above and below the clipping norm.
                var gradients = fused.DrawGradients(step % 2 == 0 ? 1e-3 : 1);
                var scalars = fused.Step(gradients, Rate, step);
                var norm = reference.Step(gradients, Rate, step);
                Assert.Equal(norm, scalars.Norm, 1e-5 * norm);
            }
            foreach (var parameter in fused.Parameters)
            {
                var (actual, expected) = (Machine.Read(parameter, StateKind.Weight), reference.Read(parameter.Name));
                var largest = actual.Zip(expected, (a, b) => Math.Abs(a - b)).Max();
                var mean = actual.Zip(expected, (a, b) => Math.Abs(a - b)).Average();
                // AdamW rounds alike but for the order of operations: nothing beside a step of 1e-3. In 8 bits each draws its own codes (an
                // element's place in the flat buffer is not its place in the parameter), which moves weights by 0.9 % of a step in the mean. Muon's products round to bf16 in another order.
                var (largestAllowed, meanAllowed) = UpdateRules.For(options.Kind, Role(fused.Shape, parameter.Name)) switch
                {
                    UpdateRule.AdamW => (2e-6, 1e-7),
                    UpdateRule.AdamW8Bit => (0.2 * Steps * Rate, 0.02 * Steps * Rate),
                    _ => (0.2 * Steps * Rate, 0.02 * Steps * Rate),
                };
                Assert.True(largest <= largestAllowed && mean <= meanAllowed, $"{parameter.Name}: {largest:g3} at most, {mean:g3} on average");
            }
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void A_gradient_that_overflows_changes_nothing_but_is_cleared(string device, string optimizer)
    {
        using var bench = new KernelBench(device);
        var machine = new Machine(bench, TestShapes.Named("tiny"), new OptimizerOptions { Kind = Enum.Parse<OptimizerKind>(optimizer) });
        machine.Step(machine.DrawGradients(1), Rate, 1);
        var before = machine.Parameters.SelectMany(parameter => Machine.Kinds.Select(kind => Machine.Read(parameter, kind))).ToArray();

        var gradients = machine.DrawGradients(1);
        gradients[^1][0] = float.PositiveInfinity;
        var scalars = machine.Step(gradients, Rate, 2);

        Assert.Equal(0, scalars.Finite);
        Assert.Equal(1, scalars.LossScale); // not below 1 in fp16, not at all in bf16
        Assert.Equal(before, machine.Parameters.SelectMany(parameter => Machine.Kinds.Select(kind => Machine.Read(parameter, kind))));
        Assert.All(machine.Parameters, parameter => Assert.All(Machine.Read(parameter, StateKind.Gradient), value => Assert.Equal(0, value)));
    }

    [Theory, MemberData(nameof(Cases))]
    public void A_state_that_was_read_and_written_goes_on_to_the_bit(string device, string optimizer)
    {
        // Blocks of 256 are shared by neighbours here: keys have 640 elements.
        var shape = FusedShape.From(new MistralConfig { HiddenSize = 40, IntermediateSize = 24, LayerCount = 2, HeadCount = 2, KeyValueHeadCount = 1, HeadSize = 16, VocabularySize = 50 });
        var options = new OptimizerOptions { Kind = Enum.Parse<OptimizerKind>(optimizer) };
        using var bench = new KernelBench(device);
        var first = new Machine(bench, shape, options);
        for (var step = 1; step <= 3; step++) first.Step(first.DrawGradients(1), Rate, step);

        var second = new Machine(bench, shape, options);
        // In the checkpoint's order, which is not that of the buffers.
        foreach (var parameter in ModelParameter.Of(shape.Model))
            foreach (var kind in Machine.Kinds)
                second.Parameters.Single(entry => entry.Name == parameter.Name).Write(kind, Machine.Read(first.Parameters.Single(entry => entry.Name == parameter.Name), kind));

        Assert.Equal(first.Bytes(), second.Bytes());
        var gradients = first.DrawGradients(1);
        foreach (var machine in new[] { first, second }) machine.Step(gradients, Rate, 4);
        Assert.Equal(first.Bytes(), second.Bytes());
    }

    private static ModelParameter Role(FusedShape shape, string name) => ModelParameter.Of(shape.Model).Single(parameter => parameter.Name == name);

    /// <summary>Flat buffers and their optimiser on a kernel device.</summary>
    private sealed class Machine
    {
        public static readonly StateKind[] Kinds = [StateKind.Weight, StateKind.FirstMoment, StateKind.SecondMoment];

        private readonly KernelBench _bench;
        private readonly FlatBuffers _buffers;
        private readonly FusedOptimizer _optimizer;
        private readonly ParameterLayout _layout;

        public Machine(KernelBench bench, FusedShape shape, OptimizerOptions options)
        {
            (_bench, Shape, _layout) = (bench, shape, new ParameterLayout(shape));
            _buffers = new FlatBuffers(bench.Device, _layout, options.Kind, bench.Half.IsFloat16);
            var scratch = FusedOptimizer.ScratchBytes(_layout, options.Kind, 100_000);
            _optimizer = new FusedOptimizer(_layout, options, _buffers, bench.Device, bench.Device, scratch == 0 ? 0 : bench.Device.Allocate(scratch, "scratch"),
                scratch, new HostMuonProducts(bench.Device), scalesLoss: bench.Half.IsFloat16);
            Parameters = [.. _layout.Entries.Select(entry => new FusedParameter(_buffers, entry, () => { }))];
            foreach (var parameter in Parameters)
                parameter.Write(StateKind.Weight, [.. bench.Random.DrawFloats(Count(parameter), ValueKind.Normal).Select(value => 0.02f * value + (parameter.Shape.Count == 1 ? 1 : 0))]);
        }

        public FusedShape Shape { get; }
        public IReadOnlyList<FusedParameter> Parameters { get; }

        public float[][] DrawGradients(double scale) =>
            [.. Parameters.Select(parameter => _bench.Random.DrawFloats(Count(parameter), ValueKind.Normal).Select(value => (float)(scale * value)).ToArray())];

        public StepScalars Step(float[][] gradients, double rate, int step)
        {
            for (var i = 0; i < gradients.Length; i++) _bench.Device.Upload<float>(_buffers.Gradient(_layout.Entries[i].Offset), gradients[i]);
            _optimizer.QueueBegin(rate, step);
            _optimizer.Queue(_ => { });
            _buffers.Moments.Updated();
            var result = new StepScalars[1];
            _bench.Device.Download<StepScalars>(result, _buffers.Scalars);
            return result[0];
        }

        public static float[] Read(FusedParameter parameter, StateKind kind)
        {
            var values = new float[Count(parameter)];
            parameter.Read(kind, values);
            return values;
        }

        /// <summary>Weights and moments as they lie in memory.</summary>
        public byte[] Bytes()
        {
            var (high, low, moments) = (new byte[_layout.Count * 2], new byte[_layout.Count * _buffers.LowBytes], new byte[_buffers.Moments.Plan.Bytes]);
            _bench.Device.Download<byte>(high, _buffers.High(0));
            _bench.Device.Download<byte>(low, _buffers.Low(0));
            _bench.Device.Download<byte>(moments, _buffers.Moments.Base);
            return [.. high, .. low, .. moments];
        }

        private static int Count(FusedParameter parameter) => (int)parameter.Shape.Aggregate(1L, (product, size) => product * size);
    }

    /// <summary>What the reference engine does with the same gradients.</summary>
    private sealed class ReferenceOptimizer : IDisposable
    {
        private readonly Dictionary<string, OptimizedParameter> _parameters = [];
        private readonly AdamW _optimizer;

        public ReferenceOptimizer(Machine machine, OptimizerOptions options)
        {
            LibtorchRuntime.Load();
            foreach (var parameter in machine.Parameters)
            {
                var shape = parameter.Shape.ToArray();
                var weight = Zeros(shape);
                HostTensors.Write(weight, Machine.Read(parameter, StateKind.Weight));
                _parameters.Add(parameter.Name, new OptimizedParameter(weight, Zeros(shape), Zeros(shape), Zeros(shape),
                    options.Decay == DecayTarget.All || shape.Length > 1, UpdateRules.For(options.Kind, Role(machine.Shape, parameter.Name))));
            }
            _optimizer = new AdamW([.. _parameters.Values], options, CPU);
        }

        public float Step(float[][] gradients, double rate, int step)
        {
            foreach (var (parameter, gradient) in _parameters.Values.Zip(gradients)) HostTensors.Write(parameter.Gradient, gradient);
            var norm = _optimizer.GradientNorm();
            _optimizer.Clip(norm);
            _optimizer.Step(rate, step);
            return norm;
        }

        public float[] Read(string name)
        {
            var values = new float[_parameters[name].Weight.NumberOfElements];
            HostTensors.Read(_parameters[name].Weight, values);
            return values;
        }

        public void Dispose()
        {
            _optimizer.Dispose();
            foreach (var parameter in _parameters.Values)
            {
                parameter.Weight.Dispose();
                parameter.Gradient.Dispose();
            }
        }

        private static Tensor Zeros(long[] shape) => zeros(shape, ScalarType.Float32).DetachFromDisposeScope();
    }
}

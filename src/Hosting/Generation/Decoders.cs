using System.Globalization;
using Streaming.Hosting.Configuration;
using Streaming.Model;
using Streaming.Model.Generation;
using Streaming.Model.Generation.Cuda;
using Streaming.Model.Generation.Host;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;

namespace Streaming.Hosting.Generation;

/// <summary>Opens a model on the device that was asked for.</summary>
internal static class Decoders
{
    private const int SlotsOnCpu = 8;

    /// <param name="model">The folder.</param>
    /// <param name="compute">The device.</param>
    /// <param name="slots">Texts at once; 0 takes what <see cref="GpuDecoder.Open"/> finds, and 8 on the CPU.</param>
    /// <param name="contextLength">Tokens of a text at most.</param>
    /// <exception cref="UserErrorException">The weights are damaged, or the device cannot do it.</exception>
    public static IDecoder Open(ModelFolder model, ComputeOptions compute, int slots, int contextLength) => Choose(compute,
        () => HostDecoder.Open(model.Path, slots > 0 ? slots : SlotsOnCpu, contextLength, compute.Threads),
        ordinal => GpuDecoder.Open(model.Path, slots, contextLength, ordinal));

    /// <summary>A model with weights from anywhere; the rest as in <see cref="Open"/>.</summary>
    public static IDecoder Copy(MistralConfig config, IWeightSource weights, ComputeOptions compute, int slots, int contextLength) => Choose(compute,
        () => HostDecoder.Copy(config, weights, slots, contextLength, compute.Threads),
        ordinal => GpuDecoder.Copy(config, weights, slots, contextLength, ordinal));

    private static IDecoder Choose(ComputeOptions compute, Func<IDecoder> onCpu, Func<int, IDecoder> onGpu)
    {
        var device = compute.Device;
        try
        {
            RequireLibtorch(compute.Libtorch);
            if (device == "cpu" || (device == "auto" && !Devices.DriverSeesGpu))
                return onCpu();
            LoadLibtorch(compute.Libtorch);
            if (device == "auto")
                return TryOnGpu(onGpu) ?? onCpu();
            var ordinal = 0;
            if (device != "cuda" && !(device.StartsWith("cuda:", StringComparison.Ordinal) && int.TryParse(device.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out ordinal)))
                throw new UserErrorException($"--device must be auto, cpu, cuda or cuda:N, was {device}.");
            Devices.Parse(device);
            return onGpu(ordinal);
        }
        catch (NotSupportedException refusal)
        {
            throw new UserErrorException($"--device: {refusal.Message.TrimEnd('.')}.");
        }
        catch (LibtorchException refusal)
        {
            throw new UserErrorException($"--device: {refusal.Message.TrimEnd('.')}.");
        }
        catch (ModelException mistake)
        {
            throw new UserErrorException($"--model: {mistake.Message.TrimEnd('.')}.");
        }
    }

    /// <summary>One that somebody named must be there, whether a GPU needs it or not.</summary>
    private static void RequireLibtorch(string libtorch)
    {
        try
        {
            LibtorchRuntime.Check(libtorch);
        }
        catch (LibtorchException refusal)
        {
            throw new UserErrorException($"--libtorch: {refusal.Message.TrimEnd('.')}.");
        }
    }

    /// <summary>Before anything looks for a libtorch by itself.</summary>
    private static void LoadLibtorch(string libtorch)
    {
        if (libtorch == "auto")
            return;
        try
        {
            LibtorchRuntime.Load(libtorch);
        }
        catch (LibtorchException refusal)
        {
            throw new UserErrorException($"--libtorch: {refusal.Message.TrimEnd('.')}.");
        }
    }

    // A GPU that nobody named and that cannot be used costs a line, not the command.
    private static IDecoder? TryOnGpu(Func<int, IDecoder> onGpu)
    {
        string reason;
        try
        {
            var status = Devices.Cuda();
            if (status.Available)
                return onGpu(0);
            reason = status.Reason;
        }
        catch (Exception refusal) when (refusal is NotSupportedException or LibtorchException)
        {
            reason = refusal.Message;
        }
        Console.Error.WriteLine($"the CPU generates: {reason}");
        return null;
    }
}

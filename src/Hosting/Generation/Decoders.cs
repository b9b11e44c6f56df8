using Streaming.Hosting.Configuration;
using Streaming.Model;
using Streaming.Model.Generation;
using Streaming.Model.Generation.Host;

namespace Streaming.Hosting.Generation;

/// <summary>Opens a model on the device that was asked for.</summary>
internal static class Decoders
{
    /// <param name="model">The folder.</param>
    /// <param name="device"><c>auto</c>, <c>cpu</c> or <c>cuda:N</c>.</param>
    /// <param name="slots">Texts at once.</param>
    /// <param name="contextLength">Tokens of a text at most.</param>
    /// <param name="threads">Threads on the CPU; 0 takes one for each core.</param>
    /// <exception cref="UserErrorException">The weights are damaged, or the device cannot do it.</exception>
    public static IDecoder Open(ModelFolder model, string device, int slots, int contextLength, int threads = 0)
    {
        if (device is not ("auto" or "cpu"))
            throw new UserErrorException($"--device: generation runs on the CPU, {device} was asked for; leave --device out.");
        try
        {
            return HostDecoder.Open(model.Path, slots, contextLength, threads);
        }
        catch (ModelException mistake)
        {
            throw new UserErrorException($"--model: {mistake.Message.TrimEnd('.')}.");
        }
    }
}

namespace Streaming.Hosting.Generation;

/// <summary>What a model computes on.</summary>
/// <param name="Device"><c>auto</c> (a GPU where one can do it, else the CPU), <c>cpu</c>, <c>cuda</c> or <c>cuda:N</c>.</param>
/// <param name="Threads">Threads on the CPU; 0 takes one for each core.</param>
/// <param name="Libtorch">What a GPU is used through: <c>auto</c>, <c>bundled</c>, or the folder of an installed PyTorch.</param>
internal sealed record ComputeOptions(string Device = "auto", int Threads = 0, string Libtorch = "auto");

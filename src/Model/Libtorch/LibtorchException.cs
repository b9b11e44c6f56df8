namespace Streaming.Model.Libtorch;

/// <summary>libtorch, or a device it should compute on, cannot be used on this machine.</summary>
public sealed class LibtorchException(string message) : ModelException(message);

using System.Runtime.InteropServices;

namespace Streaming.Actors;

/// <summary>
/// <c>tokens.bin</c>: the tokens of every step, 32 bits each, one step after the other, so that two runs can be compared token by token.
/// Opened for a run at step S it forgets what lies beyond S. Not thread-safe.
/// </summary>
internal sealed class TokenRecord : IDisposable
{
    private readonly FileStream _file;
    private readonly List<int> _step = [];

    /// <param name="path">The file.</param>
    /// <param name="step">Steps taken.</param>
    /// <param name="tokensPerStep">Tokens of each.</param>
    public TokenRecord(string path, long step, long tokensPerStep)
    {
        _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        _file.SetLength(step * tokensPerStep * sizeof(int));
        _file.Seek(0, SeekOrigin.End);
    }

    /// <summary>A micro-batch of the step under way.</summary>
    public void Add(ReadOnlySpan<int> tokens) => _step.AddRange(tokens);

    /// <summary>The step is taken.</summary>
    public void EndStep()
    {
        _file.Write(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_step)));
        _step.Clear();
    }

    public void Dispose() => _file.Dispose();
}

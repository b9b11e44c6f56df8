using System.Runtime.InteropServices;
using System.Text;

namespace Streaming.Hosting.Text;

/// <summary>
/// Standard output as a stream that says when nobody reads any more, or when it takes no more. The runtime's own stream swallows the
/// first, and a FileStream would not move the offset that processes sharing the file go by.
/// </summary>
internal sealed partial class StandardOutput : Stream
{
    private const int Descriptor = 1;
    private const int Interrupted = 4, TryAgain = 11, BrokenPipe = 32; // errno of Linux

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>A writer that holds nothing back.</summary>
    public static TextWriter OpenText() => new StreamWriter(new StandardOutput(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true };

    /// <exception cref="ReaderGoneException">The reading end of the pipe is closed.</exception>
    /// <exception cref="OutputException">The disk is full, or another failure.</exception>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            var written = NativeWrite(Descriptor, buffer, (nuint)buffer.Length);
            if (written >= 0)
            {
                buffer = buffer[(int)written..];
                continue;
            }
            var error = Marshal.GetLastPInvokeError();
            if (error == BrokenPipe)
                throw new ReaderGoneException();
            if (error == TryAgain)
                Thread.Sleep(1); // a terminal in non-blocking mode
            else if (error != Interrupted)
                throw new OutputException($"standard output cannot be written: {Marshal.GetPInvokeErrorMessage(error)}.");
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint NativeWrite(int descriptor, ReadOnlySpan<byte> buffer, nuint count);
}

/// <summary>Whoever read our output has had enough, as <c>head</c> does: no failure, but no reason to go on.</summary>
internal sealed class ReaderGoneException : Exception;

/// <summary>Standard output takes no more; no file of the command's has anything to do with it.</summary>
internal sealed class OutputException(string sentence) : Exception(sentence);

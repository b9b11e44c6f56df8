using System.Runtime.InteropServices;
using System.Text;

namespace Streaming.Hosting.Terminal;

/// <summary>
/// Standard output or standard error without <see cref="Console"/>, whose writers share one lock: a thread that a full pipe or a held
/// terminal stops in the middle of a line would stop every other one that asks the console anything, the width of its window even.
/// </summary>
/// <param name="descriptor">1 or 2.</param>
internal sealed partial class DescriptorWriter(int descriptor) : TextWriter
{
    private const int Interrupted = 4, WouldBlock = 11; // EINTR, EAGAIN
    private const ulong GetWindowSize = 0x5413; // TIOCGWINSZ
    private const int UsualColumns = 80;

    public override Encoding Encoding { get; } = Console.OutputEncoding;

    /// <summary>Width of the terminal that the descriptor leads to.</summary>
    public int Columns => ioctl(descriptor, GetWindowSize, out var size) == 0 && size.Columns > 0 ? size.Columns : UsualColumns;

    public override void Write(char value) => Write(value.ToString());

    /// <exception cref="IOException">The disk is full, say, or nobody is left to read.</exception>
    public override void Write(string? value)
    {
        var bytes = Encoding.GetBytes(value ?? "");
        for (var left = bytes.AsSpan(); !left.IsEmpty;)
        {
            var count = write(descriptor, left, left.Length);
            if (count >= 0)
                left = left[(int)count..];
            else if (Marshal.GetLastPInvokeError() == WouldBlock)
                Thread.Sleep(10); // whoever shares the descriptor has made it so
            else if (Marshal.GetLastPInvokeError() != Interrupted)
                throw new IOException(Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError()));
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct WindowSize
    {
        public readonly ushort Rows, Columns, Width, Height;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int descriptor, ReadOnlySpan<byte> bytes, nint count);

    [LibraryImport("libc")]
    private static partial int ioctl(int descriptor, ulong request, out WindowSize size);
}

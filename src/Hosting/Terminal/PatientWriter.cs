using System.Globalization;
using System.Text;

namespace Streaming.Hosting.Terminal;

/// <summary>
/// Writes for a reader who may stop reading without going away: a full pipe, a terminal held by Ctrl-S. A thread of its own writes, and whoever
/// writes here waits for it: once for as long as the patience, and from then on not at all until the reader goes on. Meanwhile text waits,
/// and what is too much of it is left out.
/// </summary>
/// <param name="destination">Where the text goes.</param>
/// <param name="patience">How long a reader may keep a writer waiting.</param>
/// <param name="mostWaiting">Characters that wait.</param>
internal sealed class PatientWriter(TextWriter destination, TimeSpan patience, int mostWaiting = 1 << 18) : TextWriter
{
    private readonly object _lock = new(); // waited on, which Lock cannot
    private readonly StringBuilder _waiting = new();
    private Thread? _thread;
    private bool _isWriting, _isStuck;
    private long _leftOut;
    private Exception? _failure;

    public override Encoding Encoding => destination.Encoding;

    public override void Write(char value) => Write(value.ToString());

    public override void Write(string? value)
    {
        if (string.IsNullOrEmpty(value))
            return;
        lock (_lock)
        {
            if (_waiting.Length > 0 && _waiting.Length + value.Length > mostWaiting)
            {
                _leftOut++;
                return;
            }
            TellLeftOut();
            _waiting.Append(value);
            if (_thread is null)
                (_thread = new Thread(WriteForEver) { IsBackground = true, Name = "output" }).Start();
            Monitor.PulseAll(_lock);
        }
    }

    /// <summary>Waits until everything is written, unless the reader has stopped reading.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public override void Flush()
    {
        var until = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        lock (_lock)
        {
            while (!_isStuck && (_waiting.Length > 0 || _isWriting))
            {
                if (until - Environment.TickCount64 is > 0 and var left)
                    Monitor.Wait(_lock, (int)left);
                else
                    _isStuck = true;
            }
            if (_failure is { } failure)
            {
                _failure = null;
                throw new IOException(failure.Message, failure);
            }
        }
    }

    private void TellLeftOut()
    {
        if (_leftOut > 0)
            _waiting.Append(CultureInfo.InvariantCulture, $"streaming: {_leftOut} lines were left out here, nobody read them\n");
        _leftOut = 0;
    }

    private void WriteForEver()
    {
        while (true)
        {
            string text;
            lock (_lock)
            {
                while (_waiting.Length == 0)
                    Monitor.Wait(_lock);
                TellLeftOut();
                text = _waiting.ToString();
                _waiting.Clear();
                _isWriting = true;
            }
            Exception? failure = null;
            try
            {
                destination.Write(text);
                destination.Flush();
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ObjectDisposedException)
            {
                failure = exception;
            }
            lock (_lock)
            {
                (_isWriting, _isStuck, _failure) = (false, false, failure ?? _failure);
                Monitor.PulseAll(_lock);
            }
        }
    }
}

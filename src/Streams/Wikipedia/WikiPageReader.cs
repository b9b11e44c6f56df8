using System.Text;
using Streaming.Streams.Compression;
using Streaming.Streams.Text;

namespace Streaming.Streams.Wikipedia;

/// <summary>
/// Cuts MediaWiki's export format into pages, still as XML. The memory is bounded by <see cref="LongestPage"/>. UTF-8, or
/// UTF-16 told by its byte order mark or its first tag. Not thread-safe.
/// </summary>
public sealed class WikiPageReader
{
    /// <summary>Bytes of a page at most; a longer one is passed over and counted. The longest articles have 2 MB.</summary>
    public const int LongestPage = 64 << 20;

    private readonly InputBuffer _dump;
    private readonly int _longestPage;
    private readonly long _begins;
    private ByteWindow? _text; // as UTF-8; null before the first bytes were seen
    private bool _isUtf16;
    private bool _hasRoot; // the root element was seen
    private bool _isInRoot; // and did not end yet

    /// <param name="dump">Uncompressed bytes from <paramref name="offset"/> on. Not disposed.</param>
    /// <param name="offset">An earlier reader's <see cref="Offset"/>; 0 for the start of the dump.</param>
    public WikiPageReader(Stream dump, long offset = 0)
        : this(dump, offset, LongestPage)
    {
    }

    internal WikiPageReader(Stream dump, long offset, int longestPage)
    {
        _dump = new InputBuffer(dump);
        _longestPage = longestPage;
        Offset = _begins = offset;
    }

    /// <summary>Bytes of the dump before the first page that is not yet read: where to go on.</summary>
    public long Offset { get; private set; }

    /// <summary>Pages read so far.</summary>
    public long Pages { get; private set; }

    /// <summary>Pages so far that were passed over for their length.</summary>
    public long LongPages { get; private set; }

    /// <summary>Reads the next page; false at the end of the dump.</summary>
    /// <param name="page">From its first tag to its last, UTF-8; valid until the next call.</param>
    /// <exception cref="InvalidDataException">The dump is cut short, or is none.</exception>
    public bool TryRead(out ReadOnlySpan<byte> page)
    {
        while (FindStart())
        {
            var length = FindLength();
            if (length == 0)
                continue;
            page = Available[..length];
            Take(length);
            Pages++;
            return true;
        }
        page = default;
        return false;
    }

    /// <summary>Takes everything up to the next page; false where there is none.</summary>
    private bool FindStart()
    {
        while (true)
        {
            var available = Available;
            var next = available.IndexOf("<page"u8);
            var before = next < 0 ? available : available[..next];
            if (before.IndexOf("<mediawiki"u8) >= 0)
                _hasRoot = _isInRoot = true;
            if (before.IndexOf("</mediawiki"u8) >= 0)
                _isInRoot = false;
            if (next >= 0 && next + 5 < available.Length)
            {
                var isPage = available[next + 5] is (byte)'>' or <= (byte)' ';
                Take(isPage ? next : next + 5);
                if (isPage)
                    return true;
                continue;
            }
            // A tag may lie across what is read and what follows.
            const int LongestTag = 12;
            Take(next >= 0 ? next : Math.Max(0, available.Length - LongestTag));
            if (!Fill())
            {
                CheckEnd();
                return false;
            }
        }
    }

    private void CheckEnd()
    {
        if (_isInRoot)
            throw new InvalidDataException("the dump is cut short: its last tag is missing");
        // Parts of a dump that hold pages alone are read too.
        var isDump = _hasRoot || _begins > 0 || Pages + LongPages > 0;
        if (!isDump)
            throw new InvalidDataException("it is no MediaWiki export, for it has no page");
    }

    /// <summary>Bytes of the page at the start; 0 where it was too long and is taken.</summary>
    private int FindLength()
    {
        var searched = 0;
        var taken = 0L;
        while (true)
        {
            var available = Available;
            var next = available[searched..].IndexOf("</page"u8);
            if (next >= 0)
            {
                var bracket = available[(searched + next)..].IndexOf((byte)'>');
                if (bracket >= 0)
                {
                    var length = searched + next + bracket + 1;
                    if (taken == 0 && length <= _longestPage)
                        return length;
                    Take(length);
                    LongPages++;
                    return 0;
                }
                searched += next;
            }
            else
            {
                searched = Math.Max(0, available.Length - 5);
            }
            if (searched > _longestPage)
            {
                taken += searched;
                Take(searched);
                searched = 0;
            }
            if (!Fill())
                throw new InvalidDataException("the dump is cut short: its last page does not end");
        }
    }

    private ReadOnlySpan<byte> Available => _text is null ? [] : _text.Bytes;

    private void Take(int count)
    {
        Offset += _isUtf16 ? 2L * CountUnits(Available[..count]) : count;
        _text?.Take(count);
    }

    /// <summary>The UTF-16 units that the bytes came from.</summary>
    private static int CountUnits(ReadOnlySpan<byte> utf8)
    {
        var units = 0;
        foreach (var value in utf8)
            units += (value & 0xC0) == 0x80 ? 0 : value >= 0xF0 ? 2 : 1;
        return units;
    }

    private Stream OpenText()
    {
        var encoding = _dump.Peek(2) switch
        {
            [0xFF, 0xFE] or [(byte)'<', 0] => Encoding.Unicode,
            [0xFE, 0xFF] or [0, (byte)'<'] => Encoding.BigEndianUnicode,
            _ => null,
        };
        _isUtf16 = encoding is not null;
        return encoding is null ? _dump : Encoding.CreateTranscodingStream(_dump, encoding, Encoding.UTF8);
    }

    private bool Fill()
    {
        if (_text is { AtEnd: true })
            return false;
        _text ??= new ByteWindow(OpenText(), Offset);
        _text.Fill();
        return !_text.AtEnd;
    }
}

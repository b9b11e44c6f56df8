using static Streaming.Streams.Cleaning.CleaningReason;

namespace Streaming.Streams.Cleaning;

/// <summary>
/// Tells lines of a page's frame from lines of its text. Weighs which share of a line's letters and digits known phrases
/// cover: "続きを読む »" and "ログイン | 会員登録" are nothing else, 「彼は続きを読むのをやめた。」 is mostly something else. A line
/// that ends like a sentence needs a larger share, one that begins as speech is never asked, and neither is a long one.
/// </summary>
internal static class BoilerplateRule
{
    /// <summary>Characters of a line past which it is text, and of one that ends like a sentence.</summary>
    private const int LongestLine = 200;
    private const int LongestSentence = 100;

    private const double ShareOfFragment = 0.5;
    private const double ShareOfSentence = 0.7;

    /// <summary>A copyright line carries a name, a cookie notice an explanation: less of them is fixed words.</summary>
    private const double TellingShareOfFragment = 0.12;
    private const double TellingShareOfSentence = 0.3;

    /// <summary>Letters of a phrase that a copyright sign is worth.</summary>
    private const int WorthOfSign = 8;

    private const int LongestBreadcrumb = 20;
    private const int LongestMenuItem = 14;
    private const string SpeechMarks = "「『“‘";
    private const string BreadcrumbMarks = ">»›≫→▶►";
    private const string MenuMarks = "|/┃│‖";
    private const string DateUnits = "年月日時分秒件回人位票点円歳";
    private const string WeekdaysInBrackets = "月火水木金土日祝";

    /// <param name="line">The line as it stands.</param>
    /// <param name="profile">Its characters.</param>
    /// <param name="endsLikeSentence">As <see cref="LineRules.EndsLikeSentence"/> has it.</param>
    public static CleaningReason Check(ReadOnlySpan<char> line, in LineProfile profile, bool endsLikeSentence)
    {
        line = line.Trim();
        if (line.IsEmpty || line.Length > (endsLikeSentence ? LongestSentence : LongestLine) || SpeechMarks.Contains(line[0]))
            return None;
        if (profile.Digits + profile.Symbols == 0 && !PhraseTable.Boilerplate.MayHoldPhrase(line))
            return None;
        Span<char> buffer = stackalloc char[LongestLine];
        var text = Fold(line, buffer);
        var cover = new Cover();
        var last = Scan(text, ref cover);
        if (cover.Words == 0)
            return None;
        if (!endsLikeSentence)
        {
            if (cover.Breadcrumbs >= 2 && cover.Words <= (cover.Breadcrumbs + 1) * LongestBreadcrumb)
                return Breadcrumb;
            if (cover.Menus >= 2 && cover.Words <= (cover.Menus + 1) * LongestMenuItem)
                return Menu;
        }
        if (cover.Telling > 0 && cover.Telling >= cover.Words * (endsLikeSentence ? TellingShareOfSentence : TellingShareOfFragment))
            return cover.TellingReason;
        if (last == ReadMore && !endsLikeSentence)
            return ReadMore; // the beginning of a text that stands elsewhere
        return cover.Total >= cover.Words * (endsLikeSentence ? ShareOfSentence : ShareOfFragment) ? cover.Reason : None;
    }

    /// <summary>Lower case, half-width, no control characters, one blank where there are several, none at the ends.</summary>
    private static ReadOnlySpan<char> Fold(ReadOnlySpan<char> line, Span<char> buffer)
    {
        var length = 0;
        foreach (var unit in line)
        {
            if (CharacterClasses.IsBlank(unit))
            {
                if (length > 0 && buffer[length - 1] != ' ')
                    buffer[length++] = ' ';
                continue;
            }
            buffer[length++] = PhraseTable.Fold(unit);
        }
        if (length > 0 && buffer[length - 1] == ' ')
            length--;
        return buffer[..length];
    }

    /// <summary>Walks over the text once; returns what the last words belong to.</summary>
    private static CleaningReason Scan(ReadOnlySpan<char> text, ref Cover cover)
    {
        var last = None;
        for (var index = 0; index < text.Length;)
        {
            var length = PhraseTable.Boilerplate.Match(text, index, out var reason);
            if (length == 0)
                length = MatchSign(text, index, out reason);
            if (length > 0)
            {
                var words = CountWords(text.Slice(index, length));
                cover.Add(reason, words, length);
                last = reason;
                index += length;
                continue;
            }
            var unit = text[index++];
            if (IsWord(unit))
            {
                cover.Words++;
                last = None;
            }
            else if (BreadcrumbMarks.Contains(unit))
                cover.Breadcrumbs++;
            else if (MenuMarks.Contains(unit) && !IsSlashWithin(text, index - 1))
                cover.Menus++;
        }
        return last;
    }

    /// <summary>A slash in a date, or one that repeats the word before it: ／＼.</summary>
    private static bool IsSlashWithin(ReadOnlySpan<char> text, int index) =>
        text[index] == '/' && (index > 0 && char.IsAsciiDigit(text[index - 1]) || index + 1 < text.Length && text[index + 1] == '＼');

    /// <summary>A copyright sign with what it stands before, or a number with its unit, or a weekday in brackets.</summary>
    private static int MatchSign(ReadOnlySpan<char> text, int index, out CleaningReason reason)
    {
        reason = DateOrCounter;
        var unit = text[index];
        if (char.IsAsciiDigit(unit))
        {
            var end = index + 1;
            while (end < text.Length && char.IsAsciiDigit(text[end]))
                end++;
            return end < text.Length && DateUnits.Contains(text[end]) ? end + 1 - index : end - index;
        }
        if (unit == '(' && index + 2 < text.Length && text[index + 2] == ')')
        {
            if (WeekdaysInBrackets.Contains(text[index + 1]))
                return 3;
            if (text[index + 1] == 'c' && NamesOwner(text[(index + 3)..]))
            {
                reason = Copyright;
                return 3;
            }
        }
        if (unit == '©')
        {
            reason = Copyright;
            return 1;
        }
        return 0;
    }

    /// <summary>After "(c)" comes a year or a name in Latin letters; an item of a list goes on otherwise.</summary>
    private static bool NamesOwner(ReadOnlySpan<char> after)
    {
        after = after.TrimStart(' ');
        return !after.IsEmpty && (char.IsAsciiLetter(after[0])
            || after.Length >= 4 && char.IsAsciiDigit(after[0]) && char.IsAsciiDigit(after[1]) && char.IsAsciiDigit(after[2]) && char.IsAsciiDigit(after[3]));
    }

    private static int CountWords(ReadOnlySpan<char> text)
    {
        var words = 0;
        foreach (var unit in text)
            words += IsWord(unit) ? 1 : 0;
        return words;
    }

    private static bool IsWord(char unit) =>
        CharacterClasses.Of(unit) is not (CharacterClass.Punctuation or CharacterClass.Symbol or CharacterClass.Blank);

    /// <summary>What has been found in a line: letters and digits, by what covers them.</summary>
    private struct Cover
    {
        public int Words;
        public int Total;
        public int Telling;
        public int Breadcrumbs;
        public int Menus;
        public CleaningReason Reason;
        public CleaningReason TellingReason;

        public void Add(CleaningReason reason, int words, int length)
        {
            Words += words;
            Total += words;
            // The first that is no mere number names the line.
            if (Reason is None or DateOrCounter)
                Reason = reason;
            if (reason is not (Copyright or Notice))
                return;
            Telling += words > 0 ? length : WorthOfSign;
            if (TellingReason == None)
                TellingReason = reason;
        }
    }
}

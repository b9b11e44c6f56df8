namespace Streaming.Streams.Wikipedia;

public sealed partial class WikitextExtractor
{
    private readonly Piece[] _arguments = new Piece[5]; // 0: by name; 1 to 4: by number

    private void PushTemplate(ReadOnlySpan<byte> text, ReadOnlySpan<MarkupSpan> spans, int index)
    {
        switch (spans[index].Template)
        {
            case TemplateText.Title:
                Push(OwnText.Title);
                return;
            case TemplateText.Dash:
                Push(OwnText.Dash);
                return;
            case TemplateText.MiddleDot:
                Push(OwnText.MiddleDot);
                return;
            case TemplateText.Apostrophe:
                Push(OwnText.Apostrophe);
                return;
            case TemplateText.EqualsSign:
                Push(OwnText.EqualsSign);
                return;
            case TemplateText.Blank:
                Push(OwnText.Blank);
                return;
        }
        ReadArguments(text, spans, index);
        var (named, first, second, third) = (_arguments[0], _arguments[1], _arguments[2], _arguments[3]);
        switch (spans[index].Template)
        {
            case TemplateText.First:
                PushOrMark(text, first);
                break;
            case TemplateText.Second:
                PushOrMark(text, second);
                break;
            case TemplateText.Third:
                PushOrMark(text, third.IsEmpty ? second : third);
                break;
            case TemplateText.Label:
                PushOrMark(text, named.IsEmpty ? first : named);
                break;
            case TemplateText.Quotation:
                PushOrMark(text, named.IsEmpty ? first : named, OwnText.LineEnd, OwnText.LineEnd);
                break;
            case TemplateText.Measure:
                PushMeasure(text, first, second);
                break;
            case TemplateText.Reading:
                PushReading(text, first, second, third);
                break;
        }
    }

    /// <summary>5|km reads 5 km; 5|to|10|km reads 5 to 10 km.</summary>
    private void PushMeasure(ReadOnlySpan<byte> text, Piece number, Piece unit)
    {
        // "to(-)" has its dash in the short form alone.
        var sign = text[unit.Start..unit.End].IndexOf((byte)'(');
        var word = sign > 0 ? text.Slice(unit.Start, sign) : text[unit.Start..unit.End];
        var isRange = word is [(byte)'-'] or [(byte)'x'] || word.SequenceEqual("to"u8) || word.SequenceEqual("and"u8)
            || word.SequenceEqual("by"u8) || word.SequenceEqual("or"u8) || word.SequenceEqual("–"u8);
        if (isRange)
        {
            PushOrMark(text, _arguments[4], OwnText.Blank);
            PushOrMark(text, _arguments[3], OwnText.Blank);
            unit = unit with { End = unit.Start + word.Length };
        }
        PushOrMark(text, unit, OwnText.Blank);
        PushOrMark(text, number);
    }

    private void PushReading(ReadOnlySpan<byte> text, Piece word, Piece reading, Piece more)
    {
        if (!reading.IsEmpty)
        {
            Push(OwnText.CloseParenthesis);
            if (!more.IsEmpty)
            {
                Push(more);
                Push(OwnText.Comma);
            }
            Push(reading);
            Push(OwnText.OpenParenthesis);
        }
        PushOrMark(text, word);
    }

    /// <summary>Reads the arguments that any template of ours has; the others are passed over.</summary>
    private void ReadArguments(ReadOnlySpan<byte> text, ReadOnlySpan<MarkupSpan> spans, int index)
    {
        Array.Clear(_arguments);
        ref readonly var template = ref spans[index];
        if (template.FirstPipe < 0)
            return;
        var argument = Content(spans, index, template.FirstPipe + 1);
        var (place, child) = (argument.Start, argument.Span);
        var (equals, number) = (-1, 0);
        while (true)
        {
            var end = child < template.Next ? spans[child].Start : template.ContentEnd;
            var length = text[place..end].IndexOfAny((byte)'|', (byte)'=');
            if (length >= 0 && text[place + length] == (byte)'=')
            {
                // A name has no markup in it.
                place += length + 1;
                if (equals < 0 && child == argument.Span)
                    equals = place - 1;
                continue;
            }
            if (length < 0 && child < template.Next)
            {
                place = spans[child].End;
                child = spans[child].Next;
                continue;
            }
            place = length < 0 ? template.ContentEnd : place + length;
            Keep(text, argument with { End = place }, equals, ref number);
            if (length < 0)
                return;
            place++;
            equals = -1;
            argument = new Piece(place, place, child);
        }
    }

    private void Keep(ReadOnlySpan<byte> text, Piece argument, int equals, ref int number)
    {
        if (equals < 0)
        {
            if (++number < _arguments.Length)
                _arguments[number] = Trim(text, argument);
            return;
        }
        var name = text[argument.Start..equals].Trim(" \n\t"u8);
        var place = name switch
        {
            [(byte)'1'] => 1,
            [(byte)'2'] => 2,
            [(byte)'3'] => 3,
            [(byte)'4'] => 4,
            _ when name.SequenceEqual("label"u8) || name.SequenceEqual("lt"u8) || name.SequenceEqual("text"u8) || name.SequenceEqual("quote"u8) => 0,
            _ => -1,
        };
        if (place >= 0)
            _arguments[place] = Trim(text, argument with { Start = equals + 1 });
    }
}

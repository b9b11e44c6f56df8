using Streaming.Streams.Sources;

namespace Streaming.Streams.Text;

/// <summary>One document (or one part of a very long one) among the lines of a <see cref="LineBatch"/>, in whichever form they are.</summary>
internal struct DocumentMark
{
    /// <summary>Where it stands in the source; a path that starts there yields it first.</summary>
    public SourcePosition Position;

    /// <summary>Of the first line of the whole document, as extracted and before it is cleaned; every part has that of the first.</summary>
    public ulong Hash;

    /// <summary>Entries in the source's duplicate index before this document was looked up.</summary>
    public long DuplicateEntries;

    /// <summary>The line after its last one; it begins where the document before it ends.</summary>
    public int LineEnd;

    /// <summary>The token after its last one, once it has been encoded.</summary>
    public int TokenEnd;

    /// <summary>Of a record of instructions: its first tokens, which are not to be predicted.</summary>
    public int PromptTokens;

    /// <summary>Goes no further: later stages pass over its lines.</summary>
    public bool IsDropped;
}

using System.Security.Cryptography;
using System.Text;

namespace Streaming.Streams.Instructions;

/// <summary>How records of instructions become sequences.</summary>
public sealed record InstructionOptions
{
    /// <summary>The prompts' forms.</summary>
    public InstructionTemplate Template { get; init; } = InstructionTemplate.Recipe;

    /// <summary>Only the answer and its end are predicted; otherwise the prompt too.</summary>
    public bool LossOnAnswerOnly { get; init; } = true;

    /// <summary>What becomes of a record that is longer than a block.</summary>
    public LongRecords LongRecords { get; init; }

    /// <summary>The record's field, or a path of names with dots between them, that says what to do.</summary>
    public string InstructionField { get; init; } = "instruction";

    /// <summary>The field with the text that it is about; a record may lack it.</summary>
    public string InputField { get; init; } = "input";

    /// <summary>The field with the answer.</summary>
    public string OutputField { get; init; } = "output";

    /// <summary>A fingerprint of all that decides which tokens a record becomes and which of them count, for blocks of a size.</summary>
    internal string IdentityFor(int blockSize) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{this} {blockSize}")))[..24];
}

/// <summary>What becomes of a record that is longer than a block.</summary>
public enum LongRecords
{
    /// <summary>It loses the end of its answer, and with it the token that ends an answer. One whose prompt alone fills the block is dropped.</summary>
    Cut,

    /// <summary>It is left out.</summary>
    Drop,
}

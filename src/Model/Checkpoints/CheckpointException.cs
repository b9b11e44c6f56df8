namespace Streaming.Model.Checkpoints;

/// <summary>A checkpoint that cannot be written, read or used with this model.</summary>
public sealed class CheckpointException : ModelException
{
    public CheckpointException(string message) : base(message)
    {
    }

    public CheckpointException(string message, Exception inner) : base(message, inner)
    {
    }
}

/// <summary>A weight is not a number any more: such a state is not worth keeping.</summary>
public sealed class NonFiniteWeightsException(string parameter) : ModelException($"{parameter} is not finite");

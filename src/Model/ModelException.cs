namespace Streaming.Model;

/// <summary>
/// A mistake outside the program: a missing library, a bad file, a value that does not fit.
/// The message is one sentence for the user, naming the thing, the value and the remedy.
/// </summary>
public class ModelException : Exception
{
    public ModelException(string message) : base(message)
    {
    }

    public ModelException(string message, Exception inner) : base(message, inner)
    {
    }
}

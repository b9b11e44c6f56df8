namespace Streaming.Model.Safetensors;

/// <summary>A safetensors file that cannot be used: damaged, hostile, or not holding what is asked of it.</summary>
public sealed class SafetensorsException : ModelException
{
    public SafetensorsException(string message) : base(message)
    {
    }

    public SafetensorsException(string message, Exception inner) : base(message, inner)
    {
    }
}

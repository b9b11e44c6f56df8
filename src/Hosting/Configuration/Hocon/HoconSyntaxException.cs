namespace Streaming.Hosting.Configuration.Hocon;

/// <summary>A text that is not HOCON; the message is one sentence that names the place.</summary>
internal sealed class HoconSyntaxException(string message) : Exception(message);

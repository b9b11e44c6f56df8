namespace Streaming.Hosting.Metrics.Gpu;

/// <summary>What GPUs could compute at most, against which utilisation is stated: dense bf16 products (fp16 before Ampere), as their data sheets have it.</summary>
internal static class GpuPeaks
{
    // The first that the name contains counts, so variants stand before their family.
    private static readonly (string Name, double Teraflops)[] _peaks =
    [
        ("B300", 2500), ("GB200", 2500), ("B200", 2250), ("B100", 1750), ("GH200", 989),
        ("H200 NVL", 835), ("H200", 989), ("H100 NVL", 835), ("H100 PCIe", 756), ("H100", 989), ("H800", 989), ("H20", 148),
        ("A100", 312), ("A800", 312), ("A40", 150), ("A30", 165), ("A10G", 70), ("A10", 125), ("RTX A6000", 155), ("RTX A5000", 111),
        ("L40S", 362), ("L40", 181), ("L4", 121), ("RTX 6000 Ada", 364),
        ("RTX 5090", 209), ("RTX 4090", 165), ("RTX 4080", 97), ("RTX 3090", 71), ("RTX 3080", 60), ("V100", 125), ("T4", 65),
    ];

    /// <summary>Operations a second; null where the GPU is not known.</summary>
    public static double? FlopsOf(string gpu)
    {
        foreach (var (name, teraflops) in _peaks)
        {
            if (gpu.Contains(name, StringComparison.OrdinalIgnoreCase))
                return teraflops * 1e12;
        }
        return null;
    }
}

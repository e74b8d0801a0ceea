@main
enum Tickloop {
    static func main() {}
}

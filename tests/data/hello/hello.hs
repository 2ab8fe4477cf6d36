import Data.List (intercalate)
import System.Environment
import System.Exit
import System.IO

main :: IO ()
main = do
  arguments <- getArgs
  line <- getLine
  putStrLn ("é " ++ intercalate "|" arguments ++ " " ++ line)
  hPutStrLn stderr "err"
  exitWith (ExitFailure 3)
